"""A receiver of webhooks, as small as one can be: it believes what is signed (Standard Webhooks), takes each webhook
once, and answers. WEBHOOK_SECRET is that of the program."""

import base64
import hashlib
import hmac
import http.server
import os
import time

SECRET = base64.b64decode(os.environ["WEBHOOK_SECRET"].removeprefix("whsec_"))
# How far the sender's clock may be from ours, in seconds.
TOLERANCE = 300
# The ids that were taken; a real receiver keeps them for as long as a webhook may be repeated.
taken = set()


def is_signed(headers, body):
    identifier, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not at.isdigit() or abs(time.time() - int(at)) > TOLERANCE:
        return False
    signed = f"{identifier}.{at}.".encode() + body
    wanted = base64.b64encode(hmac.new(SECRET, signed, hashlib.sha256).digest()).decode()
    # While the secret is changed there are two signatures.
    given = headers.get("webhook-signature", "").split(" ")
    return any(hmac.compare_digest(one, f"v1,{wanted}") for one in given)


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        identifier = self.headers.get("webhook-id", "")
        if not is_signed(self.headers, body):
            status, said = 401, "refused: not signed with our secret"
        elif identifier in taken:
            status, said = 200, f"{identifier} came again, and is known"
        else:
            taken.add(identifier)
            status, said = 200, f"{identifier}: {body.decode(errors='replace')}"
        print(said)
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("", int(os.environ.get("PORT", "9000"))), Receiver).serve_forever()
