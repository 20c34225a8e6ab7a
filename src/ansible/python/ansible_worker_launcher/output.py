"""What a run prints, on its way to the worker: in batches, and up to a limit.

Ansible writes line by line. Each line by itself would wake the worker, so what
is printed is gathered for a moment, or until there is a good deal of it. It
stays in the order in which it was read, whichever stream it came from.
"""

import codecs
import time

# How long something may be gathered, and how much of it, in characters. With
# what the worker adds, all is on its way within a quarter of a second.
GATHER_SECONDS = 0.1
GATHER_CHARACTERS = 32768


class Output:
    def __init__(self, limit, send):
        """
        :param limit: how much of the text is sent, in bytes of UTF-8; None for
            nothing at all
        :param send: takes one message to the worker
        """
        self.left = limit
        self.send = send
        self.decoders = {
            name: codecs.getincrementaldecoder("utf-8")("replace")
            for name in ("stdout", "stderr")
        }
        # The stream and the texts that are gathered, and until when.
        self.stream = None
        self.texts = []
        self.characters = 0
        self.until = None

    def add(self, stream, data, final=False):
        """Takes what was read from a stream."""
        if self.left is None:
            return
        text = self.decoders[stream].decode(data, final)
        if not text:
            return
        if stream != self.stream:
            self.flush()
            self.stream = stream
        size = len(text) if text.isascii() else len(text.encode())
        if size > self.left:
            self.gather(text.encode()[:self.left].decode("utf-8", "ignore"))
            self.flush()
            self.send({"type": "output", "stream": stream, "text": "",
                       "truncated": True})
            self.left = None
            return
        self.left -= size
        self.gather(text)
        if self.characters >= GATHER_CHARACTERS:
            self.flush()

    def gather(self, text):
        self.texts.append(text)
        self.characters += len(text)
        if self.until is None:
            self.until = time.monotonic() + GATHER_SECONDS

    def wait(self):
        """Seconds until something is to be flushed; None if there is nothing."""
        if self.until is None:
            return None
        return max(0.0, self.until - time.monotonic())

    def flush_in_time(self):
        if self.until is not None and time.monotonic() >= self.until:
            self.flush()

    def flush(self):
        text = "".join(self.texts)
        self.texts = []
        self.characters = 0
        self.until = None
        if text:
            self.send({"type": "output", "stream": self.stream, "text": text})

    def finish(self):
        """Sends the rest, and what was left of a character."""
        for stream in self.decoders:
            self.add(stream, b"", True)
        self.flush()
