"""A receiver of webhooks on loopback: remembers what came, and refuses while it is told to."""

import http.server
import threading


class Receiver:
    def __init__(self):
        self.open, self.taken, self.refused = False, [], set()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                identifier = self.headers.get("webhook-id")
                if outer.open:
                    outer.taken.append((identifier, body))
                else:
                    outer.refused.add(identifier)
                self.send_response(200 if outer.open else 503)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self):
        return f"http://127.0.0.1:{self.server.server_port}/hook"
