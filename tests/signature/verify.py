"""Says of each recorded delivery whether the published library accepts it.

Usage: python3 verify.py SECRET FILE   (FILE: one JSON object per line)
"""

import base64
import json
import sys

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

secret, file = sys.argv[1:]
webhook = Webhook(secret)
with open(file, encoding="utf-8") as lines:
    for line in lines:
        delivery = json.loads(line)
        headers = {f"webhook-{name}": delivery[name] for name in ("id", "timestamp", "signature")}
        try:
            webhook.verify(base64.b64decode(delivery["body"]).decode(), headers)
            print("verified")
        except WebhookVerificationError as error:
            print(f"refused: {error}")
