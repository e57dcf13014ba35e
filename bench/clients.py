"""Clients that cost little: a WebSocket and an HTTP connection on plain sockets."""

import http.client
import http.server
import json
import os
import socket
import struct
import threading
import time


class CallError(Exception):
    """A call was answered with an error; the text is the answer."""


class WebSocket:
    """A persistent JSON-RPC connection to the daemon's /ws.

    Frames are masked with zeros, which the protocol allows and which costs no time; a reply is read into one buffer
    that is used again. Not for several threads.
    """

    def __init__(self, port, token):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall((
            f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: c2VsZmFnZW50IGJlbmNoIQ==\r\n\r\n").encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.socket.recv(1)
        if b" 101 " not in head.split(b"\r\n", 1)[0]:
            raise CallError(f"/ws was not upgraded: {head.decode(errors='replace')}")
        # The kernel keeps the time from here on: with a timeout of its own, Python asks poll before each call.
        self.socket.settimeout(None)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 60, 0))
        self.buffer = bytearray(16 << 20)
        self.id = 0

    def frame(self, method, params):
        self.id += 1
        text = json.dumps({"jsonrpc": "2.0", "id": self.id, "method": method, "params": params}).encode()
        head = bytes([0x81, 0x80 | len(text)]) if len(text) < 126 else struct.pack(">BBH", 0x81, 0xFE, len(text))
        return head + bytes(4) + text

    def timed(self, method, params):
        """Calls and returns (seconds from the send to the last byte of the reply, reply bytes)."""
        frame = self.frame(method, params)
        view = memoryview(self.buffer)
        begin = time.perf_counter()
        self.socket.sendall(frame)
        got, end = 0, 2
        while got < end:
            got += self.socket.recv_into(view[got:])
            if end == 2 and got >= 2:
                start, length = 2, view[1] & 127
                if length == 126:
                    start = end = 4
                elif length == 127:
                    start = end = 10
                if got < start:
                    continue
            if got >= start and end <= start:
                if length == 126:
                    length = struct.unpack_from(">H", view, 2)[0]
                elif length == 127:
                    length = struct.unpack_from(">Q", view, 2)[0]
                end = start + length
        seconds = time.perf_counter() - begin
        reply = bytes(view[start:end])
        if b'"error":' in reply[:64] or b'"isError":true' in reply[-64:]:
            raise CallError(reply[:2000].decode(errors="replace"))
        return seconds, reply

    def close(self):
        self.socket.close()


def post(port, path, message, headers):
    """One JSON-RPC message over HTTP: (status, headers, the answer's object or None). Understands an SSE answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("POST", path, json.dumps(message), {
        "Content-Type": "application/json", "Accept": "application/json, text/event-stream", **headers})
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    lines = [line[5:] for line in text.splitlines() if line.startswith("data:") and line[5:].strip()]
    text = lines[-1] if lines else text
    return response.status, response.headers, json.loads(text) if text.strip() else None


def initialize(port, path, headers):
    """The handshake of MCP; returns the headers that later requests need."""
    status, answer, body = post(port, path, {
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": {"protocolVersion": "2025-11-25", "capabilities": {},
                   "clientInfo": {"name": "selfagent-bench", "version": "0"}}}, headers)
    if status != 200 or "result" not in body:
        raise CallError(f"initialize: {status} {body}")
    needed = {**headers, "MCP-Protocol-Version": body["result"]["protocolVersion"]}
    if answer["mcp-session-id"]:
        needed["Mcp-Session-Id"] = answer["mcp-session-id"]
    post(port, path, {"jsonrpc": "2.0", "method": "notifications/initialized"}, needed)
    return needed


def json_of(port, method, path, headers, body=None):
    """The answer of the page's endpoints, however long it takes."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    text = None if body is None else json.dumps(body)
    connection.request(method, path, text, {**headers, **({"Content-Type": "application/json"} if text else {})})
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()
    if response.status >= 400:
        raise CallError(f"{path}: {response.status} {answer}")
    return answer


def stored_events(port, path, headers):
    """The data of the events that an event stream has so far."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path, headers={**headers, "Accept": "text/event-stream"})
    response = connection.getresponse()
    events = []
    for line in response:
        if line.startswith(b"event: caught_up"):
            break
        if line.startswith(b"data:"):
            events.append(json.loads(line[5:]))
    connection.close()
    return events


class InstantModel:
    """A model server that gives one answer after the other, without a look at what it is asked."""

    def __init__(self, answers):
        self.requests = requests = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                requests.append(self.rfile.read(int(self.headers["Content-Length"])))
                body = json.dumps(answers[len(requests) - 1]).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def status_of(port, path):
    """The status of a GET, or 0 while nobody listens."""
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", path)
        return connection.getresponse().status
    except ConnectionError:
        return 0


def reading_cost(count, repetitions=20):
    """The median of the seconds that this client needs to read `count` bytes from a sender that only copies them."""
    listener = socket.create_server(("127.0.0.1", 0))
    child = os.fork()
    if child == 0:
        try:
            sender, _ = listener.accept()
            data = bytes(count)
            while sender.recv(1):
                sender.sendall(data)
        finally:
            os._exit(0)
    reader = socket.create_connection(listener.getsockname())
    listener.close()
    buffer = memoryview(bytearray(16 << 20))
    times = []
    for _ in range(repetitions):
        begin = time.perf_counter()
        reader.sendall(b"x")
        got = 0
        while got < count:
            got += reader.recv_into(buffer[got:])
        times.append(time.perf_counter() - begin)
    reader.close()
    os.waitpid(child, 0)
    return sorted(times)[len(times) // 2]


class Stdio:
    """An MCP server on the standard input and output of `process`, one message a line."""

    def __init__(self, process):
        self.process, self.id = process, 0

    def notify(self, method):
        self.send({"jsonrpc": "2.0", "method": method})

    def send(self, message):
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def timed(self, method, params):
        """Calls and returns (seconds until the answer is there, its result)."""
        self.id += 1
        begin = time.perf_counter()
        self.send({"jsonrpc": "2.0", "id": self.id, "method": method, "params": params})
        for line in self.process.stdout:
            seconds = time.perf_counter() - begin
            answer = json.loads(line)
            if answer.get("id") == self.id:
                if "result" not in answer or answer["result"].get("isError"):
                    raise CallError(json.dumps(answer)[:2000])
                return seconds, answer["result"]
        raise CallError("the server ended")
