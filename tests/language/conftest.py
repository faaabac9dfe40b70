import pytest

from tests.language import asking
from tests.servers.llm import LlmServer


@pytest.fixture
def serve():
    """Start servers that are stopped after the test."""
    servers = []

    def start(**options):
        servers.append(LlmServer(**options))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def llm(tmp_path):
    """Make clients that are closed after the test: `llm(server, setting=value)`."""
    clients = []

    def make(server, key=asking.KEY, folder=tmp_path, **settings):
        clients.append(asking.client(server if isinstance(server, str | None) else server.url, folder, key, **settings))
        return clients[-1]

    yield make
    for client in clients:
        client.__exit__(None, None, None)
