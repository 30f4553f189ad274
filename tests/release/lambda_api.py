"""As much of Lambda as it takes to run release binaries and to look at the clock.

`Function` starts a binary as Lambda does, hands it one event after the other (the Runtime API), and says how long it took
from its start to its first request for one. `Lambda` invokes functions by their names (the Invoke API).
"""

import http.server
import json
import os
import queue
import subprocess
import threading
import time


class Function:
    def __init__(self, binary, environment, timeout=30):
        self.binary, self.timeout = binary, timeout
        self.events, self.answers, self.first_poll = queue.Queue(), queue.Queue(), queue.Queue()
        self.polled = False
        function = self

        class RuntimeApi(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle(self):
                try:
                    super().handle()
                except ConnectionError:
                    # The function was ended while it was asked for its next event.
                    pass

            def do_GET(self):
                if not function.polled:
                    function.polled = True
                    function.first_poll.put(time.perf_counter())
                event = function.events.get()
                if event is None:
                    self.close_connection = True
                    return
                body = json.dumps(event).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.send_header("lambda-runtime-aws-request-id", f"request-{time.monotonic_ns()}")
                self.send_header("lambda-runtime-deadline-ms", str(int(time.time() * 1000) + function.timeout * 1000))
                self.send_header("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:000000000000:function:it")
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"])) if "content-length" in self.headers else chunks(self.rfile)
                self.send_response(202)
                self.send_header("content-length", "0")
                self.end_headers()
                if self.path.endswith("/response"):
                    function.answers.put(json.loads(body))
                else:
                    function.answers.put(RuntimeError(f"{self.path}: {body.decode()}"))

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), RuntimeApi)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        lambdas_own = {
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self.server.server_port}",
            "AWS_LAMBDA_FUNCTION_NAME": os.path.basename(os.path.dirname(binary)),
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        }
        began = time.perf_counter()
        # A function has what Lambda gives it, and nothing of the shell that the tests run in.
        self.process = subprocess.Popen([binary], env=environment | lambdas_own, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.lines = queue.Queue()
        self.reading = threading.Thread(target=self.read, daemon=True)
        self.reading.start()
        try:
            self.started_in = self.first_poll.get(timeout=10) - began
        except queue.Empty:
            self.stop()
            raise RuntimeError(f"{binary} asked for no event: {list(self.lines.queue)}") from None

    def read(self):
        for line in self.process.stdout:
            self.lines.put(line)

    def line(self, is_it):
        """The next line of its log that is the one that is meant."""
        while True:
            line = json.loads(self.lines.get(timeout=self.timeout))
            if is_it(line):
                return line

    def invoke(self, event):
        self.events.put(event)
        answer = self.answers.get(timeout=self.timeout)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.reading.join()
        self.events.put(None)
        self.server.shutdown()
        self.server.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Lambda:
    """Functions by name. Each is started when it is first invoked, and again after it was stopped."""

    def __init__(self, binaries):
        self.binaries, self.environment, self.running, self.turn = binaries, {}, {}, threading.Lock()
        functions = self

        class InvokeApi(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                event = json.loads(self.rfile.read(int(self.headers["content-length"])))
                answer = functions.invoke(self.path.split("/")[3], event)
                body = json.dumps(answer).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), InvokeApi)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def start(self, name, **variables):
        """A process of a function, for whoever wants one of its own."""
        return Function(self.binaries[name], self.environment | variables)

    def invoke(self, name, event):
        with self.turn:
            if name not in self.running:
                self.running[name] = self.start(name)
            return self.running[name].invoke(event)

    def restart(self, name, **variables):
        """Has a function be invoked in a new process from now on."""
        with self.turn:
            if name in self.running:
                self.running.pop(name).stop()
            self.running[name] = self.start(name, **variables)
            return self.running[name]

    def request(self, method, path, body, token):
        """Asks the API, as API Gateway does. Answers with the status and the body."""
        answer = self.invoke("api", {
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": path,
            "rawQueryString": "",
            "headers": {"content-type": "application/json", "x-api-token": token, "host": "api.example.com"},
            "requestContext": {
                "accountId": "000000000000", "apiId": "api", "domainName": "api.example.com", "domainPrefix": "api",
                "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "tests"},
                "requestId": "request", "routeKey": "$default", "stage": "$default",
                "time": "01/Jan/2026:00:00:00 +0000", "timeEpoch": 1767225600000,
            },
            "body": json.dumps(body),
            "isBase64Encoded": False,
        })
        return answer["statusCode"], json.loads(answer["body"])

    def stop(self):
        self.server.shutdown()
        with self.turn:
            for function in self.running.values():
                function.stop()


def chunks(stream):
    """A body of unknown length."""
    body = b""
    while size := int(stream.readline(), 16):
        body += stream.read(size)
        stream.readline()
    stream.readline()
    return body
