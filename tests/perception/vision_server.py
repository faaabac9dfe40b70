"""An OpenAI-compatible server on the loopback that looks at nothing, and remembers everything that it was sent."""

import base64
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np


class Got:
    """One chat request, as it arrived."""

    def __init__(self, raw, headers):
        self.raw, self.headers = raw, {name.lower(): value for name, value in headers.items()}
        self.body = json.loads(raw)
        self.system, self.user = (message["content"] for message in self.body["messages"][:2])
        self.text = self.user[0]["text"]
        self.urls = [part["image_url"]["url"] for part in self.user[1:]]

    @property
    def files(self):
        """The JPEG files."""
        assert all(url.startswith("data:image/jpeg;base64,") for url in self.urls)
        return [base64.b64decode(url.partition(",")[2]) for url in self.urls]

    @property
    def pictures(self):
        """Decoded, RGB."""
        decoded = [cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_COLOR) for file in self.files]
        return [cv2.cvtColor(picture, cv2.COLOR_BGR2RGB) for picture in decoded]


def says(caption):
    """A reply with that caption."""
    return 200, {"content": json.dumps({"caption": caption})}


class VisionServer:
    """`reply(got)` gives a status and the message, or the error."""

    def __init__(self, delay_s=0.0):
        self.reply, self.delay_s = (lambda _: says("A man walks.")), delay_s
        self.got, self.connections, self.at_once, self.most_at_once = [], 0, 0, 0
        self._lock = threading.Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        self.host = f"127.0.0.1:{self._http.server_port}"
        self.url = f"http://{self.host}/v1"

    def close(self):
        self._http.shutdown()
        self._http.server_close()

    def _handler(server):  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                server.connections += 1
                self._send(200, {"object": "list", "data": [{"id": "tiny-vision", "object": "model"}]})

            def do_POST(self):
                got = Got(self.rfile.read(int(self.headers["Content-Length"])), self.headers)
                with server._lock:
                    server.got.append(got)
                    server.at_once += 1
                    server.most_at_once = max(server.most_at_once, server.at_once)
                time.sleep(server.delay_s)
                status, said = server.reply(got)
                with server._lock:
                    server.at_once -= 1
                choice = {"index": 0, "message": {"role": "assistant", **said}, "finish_reason": "stop"}
                usage = {"prompt_tokens": 1000, "completion_tokens": 10, "total_tokens": 1010}
                answer = {"id": "1", "object": "chat.completion", "model": "tiny-vision-1", "choices": [choice], "usage": usage}
                self._send(status, answer if status == 200 else {"error": said})

            def _send(self, status, answer):
                raw = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *_):
                pass

        return Handler
