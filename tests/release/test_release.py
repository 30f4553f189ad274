"""The binaries that are deployed: how large they are, what they ask of the system, how soon they take their first event.

The figures are printed; infra/measurements.md has those of one run.
"""

import datetime
import http.server
import ipaddress
import os
import pathlib
import queue
import re
import ssl
import statistics
import threading
import zipfile

import pytest
from conftest import BINARIES, PLATFORM_TOKEN
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

ARM64 = pathlib.Path(os.environ["KNOCKBACK_ARM64"])
STARTS = 15


ALL = pytest.mark.parametrize("binary", [*BINARIES.values(), ARM64], ids=[*BINARIES, "arm64"])


@ALL
def test_a_function_is_less_than_four_megabytes_to_upload(binary, tmp_path):
    packed = tmp_path / "function.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(binary, "bootstrap")
    print(f"\n{binary.parent.name}: {binary.stat().st_size / 1e6:.1f} MB, zipped {packed.stat().st_size / 1e6:.1f} MB", end="")
    assert packed.stat().st_size < 4_000_000


@ALL
def test_a_function_asks_for_no_newer_glibc_than_amazon_linux_has(binary):
    versions = {(int(major), int(minor)) for major, minor in re.findall(rb"GLIBC_(\d+)\.(\d+)", binary.read_bytes())}
    assert versions, "it says what it asks for"
    print(f"\nglibc {'.'.join(map(str, max(versions)))}", end="")
    assert max(versions) <= (2, 34)


def test_a_function_for_arm64_is_one():
    header = ARM64.read_bytes()[:20]
    assert header[:4] == b"\x7fELF" and int.from_bytes(header[18:20], "little") == 0xB7


@pytest.mark.parametrize("name", BINARIES)
def test_a_function_takes_its_first_event_within_fifteen_milliseconds_of_its_start(name, functions):
    took = []
    for _ in range(STARTS):
        with functions.start(name.lower()) as function:
            took.append(function.started_in * 1000)
    print(f"\n{name}: first poll after {statistics.median(took):.1f} ms ({min(took):.1f} to {max(took):.1f})", end="")
    assert statistics.median(took) < 15


def test_the_first_delivery_over_tls_takes_less_than_ten_milliseconds(functions, tls_receiver):
    """Of a process that has made none before: address, connection, handshake, request and answer."""
    caller = {"company_id": "1", "user_id": "10", "admin": True}
    status, token = functions.request("POST", "/v1/tokens", caller, PLATFORM_TOKEN)
    assert status == 201, token
    pattern = {"subscription_url": tls_receiver.url, "event_action": "*", "event_object": "deal"}
    status, webhook = functions.request("POST", "/v1/webhooks", pattern, token["data"]["token"])
    assert status == 201, webhook
    event = {"company_id": "1", "object": "deal", "action": "change", "entity_id": "8"}
    took = []
    for _ in range(STARTS):
        deliver = functions.restart("deliver", SSL_CERT_FILE=tls_receiver.authority)
        assert functions.request("POST", "/v1/events", event, PLATFORM_TOKEN)[0] == 202
        tls_receiver.received.get(timeout=20)
        # Its answer is what the box's queue waits for; the line of the attempt is there before.
        line = deliver.line(lambda line: line.get("outcome"))
        assert (line["outcome"], line["status"]) == ("succeeded", 200), line
        took.append(line["duration_ms"])
    print(f"\nfirst delivery over TLS after {statistics.median(took)} ms ({min(took)} to {max(took)})", end="")
    assert statistics.median(took) < 10


class TlsReceiver:
    """A receiver on this machine, with a certificate of its own authority."""

    def __init__(self, folder):
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
        now = datetime.datetime.now(datetime.UTC)
        certificate = (
            x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
            .sign(key, hashes.SHA256())
        )
        self.authority = str(folder / "authority.pem")
        pem = serialization.Encoding.PEM
        (folder / "authority.pem").write_bytes(certificate.public_bytes(pem))
        (folder / "key.pem").write_bytes(
            key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )
        self.received = queue.Queue()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers["content-length"]))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()
                receiver.received.put(self.path)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.authority, folder / "key.pem")
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def tls_receiver(tmp_path):
    receiver = TlsReceiver(tmp_path)
    yield receiver
    receiver.server.shutdown()
