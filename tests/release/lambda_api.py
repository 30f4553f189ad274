"""The half of Lambda that a function sees: the Runtime API, for one process at a time, which it also starts.

`Function` starts a binary as Lambda does, hands it one event after the other, and says how long it took from its start to
its first request for one.
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
        self.lines = []
        self.reading = threading.Thread(target=lambda: self.lines.extend(self.process.stdout), daemon=True)
        self.reading.start()
        try:
            self.started_in = self.first_poll.get(timeout=10) - began
        except queue.Empty:
            self.stop()
            raise RuntimeError(f"{binary} asked for no event: {self.lines}") from None

    def invoke(self, event):
        self.events.put(event)
        answer = self.answers.get(timeout=self.timeout)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def stop(self):
        """Ends it, and answers with the lines that it has written."""
        self.process.kill()
        self.process.wait()
        self.reading.join()
        self.events.put(None)
        self.server.shutdown()
        self.server.server_close()
        return self.lines

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def chunks(stream):
    """A body of unknown length."""
    body = b""
    while size := int(stream.readline(), 16):
        body += stream.read(size)
        stream.readline()
    stream.readline()
    return body
