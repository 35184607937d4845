"""A second opinion on mails: Python's own email library.

    mails.py write SEED COUNT    mails, and what is in each, as JSON lines
    mails.py read FILE...        subject and sender of each, as JSON lines

What it writes has every kind of header and body that ordinary mail programs make: character sets,
transfer encodings, encoded words, folded lines, alternatives, attachments.
"""

import base64
import email
import email.policy
import html
import itertools
import json
import os
import random
import sys
from email.headerregistry import Address
from email.message import EmailMessage

WORDS = """média solution missions recadrage lot livraison fichiers équipe été à faire urgent bonjour
cordialement ci-joint l'œuvre « reçu » déjà où naïve garçon merci n° 42 — planning façade""".split()
NAMES = ["Camille", "José Álvarez", "Nguyễn Văn A", "Łukasz", "O'Brien, Pat", 'Anne "Nanou" Dupré', "研究所"]
LINKS = [
    "https://www.dropbox.com/scl/fo/{id}/AbC-{id}?rlkey={id}&dl=0",
    "https://www.dropbox.com/s/{id}/Lot%2042%20-%20%C3%A9t%C3%A9.zip?dl=0",
    "https://fromsmash.com/{id}",
    "https://www.swisstransfer.com/d/{id}-1234-4abc-9def-0123456789ab",
]
CHARSETS = ["utf-8", "iso-8859-1", "windows-1252", "iso-8859-15"]


def words(chance, count):
    return " ".join(chance.choice(WORDS) for _ in range(count))


def fits(text, charset):
    """The text, without what the character set does not have."""
    return text.encode(charset, "ignore").decode(charset)


def line(chance, link):
    """A line as people write one around a link."""
    before, after = words(chance, chance.randrange(8)), words(chance, chance.randrange(8))
    form = chance.choice(["{b} {l} {a}", "{b} : {l}", "{b} <{l}> {a}", "{b} ({l}), {a}", "{l}", "{b} : {l}."])
    return form.format(b=before, l=link, a=after)


def page(chance, link):
    shown = chance.choice([html.escape(link), "Télécharger", "<b>ici</b>"])
    return f'<p>{html.escape(words(chance, 5))} <a href="{html.escape(link)}">{shown}</a></p>'


def write(chance):
    """A mail, or None when Python does not read it back as it was meant."""
    # Sixteen digits: no service has shorter ones, and no two are alike.
    links = [chance.choice(LINKS).format(id=f"{chance.randrange(16**16):016x}") for _ in range(chance.randrange(4))]
    subject = words(chance, 1 + chance.randrange(30))
    name = chance.choice(NAMES)
    sender = f"camille.{chance.randrange(99)}@client.example"
    charset = chance.choice(CHARSETS)
    encoding = chance.choice(["quoted-printable", "base64", "8bit"])
    message = EmailMessage(policy=email.policy.SMTP.clone(max_line_length=chance.choice([78, 200, 998])))
    message["Subject"] = subject
    message["From"] = Address(name, addr_spec=sender)
    message["To"] = "signal@client.example"
    message["Date"] = "Mon, 26 Jan 2026 09:15:00 +0100"
    message["Message-ID"] = f"<{chance.randrange(16**12):012x}@client.example>"
    kind = chance.choice(["plain", "html", "both"])
    plain = fits("\n\n".join([words(chance, 9)] + [line(chance, link) for link in links]) + "\n", charset)
    rich = fits("<html><body>" + "\n".join(page(chance, link) for link in links) + "</body></html>\n", charset)
    if kind == "html":
        message.set_content(rich, subtype="html", charset=charset, cte=encoding)
    else:
        message.set_content(plain, charset=charset, cte=encoding)
        if kind == "both":
            message.add_alternative(rich, subtype="html", charset=charset, cte=encoding)
    if chance.randrange(3) == 0:
        message.add_attachment(os.fsencode("x" * chance.randrange(2000)), maintype="application", subtype="pdf",
                               filename=chance.choice(["plan.pdf", "été — plan.pdf"]))
    raw = message.as_bytes()
    # Its folding loses a blank now and then. A mail that it does not read back itself proves nothing
    # about us.
    back = email.message_from_bytes(raw, policy=email.policy.default)
    if str(back["subject"]) != subject or back["from"].addresses[0].addr_spec != sender:
        return None
    return {"raw": base64.b64encode(raw).decode(), "subject": subject, "sender": sender, "links": links}


def told(text):
    """A byte of no character set is a surrogate to Python, which JSON does not have."""
    return str(text).encode("utf-8", "replace").decode()


def read(path):
    with open(path, "rb") as file:
        message = email.message_from_bytes(file.read(), policy=email.policy.default)
    addresses = message["from"].addresses if message["from"] else ()
    return {
        "name": os.path.basename(path),
        "subject": told(message["subject"] or ""),
        "sender": told(addresses[0].addr_spec.lower() if addresses else ""),
    }


def main():
    if sys.argv[1] == "write":
        chance = random.Random(int(sys.argv[2]))
        written = filter(None, iter(lambda: write(chance), 0))
        found = itertools.islice(written, int(sys.argv[3]))
    else:
        found = (read(path) for path in sys.argv[2:])
    for one in found:
        print(json.dumps(one))


main()
