"""A key from Kedro's credentials, which name environment variables: it is in no parameter, log or artefact."""

from typing import Any

from kedro.io import AbstractDataset, DatasetError
from pydantic import SecretStr


class SecretDataset(AbstractDataset[None, SecretStr | None]):
    """`api_key` of the credentials, wrapped so that printing shows no character of it; None where the variable is not set."""

    def __init__(self, credentials: dict[str, Any]) -> None:
        api_key = credentials.get("api_key")
        if api_key and not isinstance(api_key, SecretStr):
            api_key = SecretStr(str(api_key))
            credentials["api_key"] = api_key  # Kedro keeps what a dataset was made with, and would keep the bare key
        self._key = api_key or None

    def load(self) -> SecretStr | None:
        """The key."""
        return self._key

    def save(self, data: None) -> None:
        """Keys are set in the environment, never by a run."""
        msg = "A key is set in the environment and cannot be saved."
        raise DatasetError(msg)

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {}
