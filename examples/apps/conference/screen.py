"""A log of lines, and on a terminal below it a table of who is there, which stays where it is."""

import os
import sys
import time


class Screen:
    def __init__(self, out=sys.stdout):
        self.out = out
        self.is_terminal = out.isatty() and os.environ.get("TERM") != "dumb"
        self.began = time.monotonic()
        self.rows = 0

    def line(self, text, callers=()):
        """One more line of the log, and the table as it is now."""
        self.end()
        print(f"{time.monotonic() - self.began:6.1f} s  {text}", file=self.out)
        if self.is_terminal:
            table = [self.row(caller) for caller in callers]
            print("\n".join(["", *table]), file=self.out)
            self.rows = len(table) + 1
        self.out.flush()

    def row(self, caller):
        if not caller.is_in_room:
            mark, state = "…", "comes or goes"
        elif caller.is_muted:
            mark, state = "×", "muted"
        elif caller.is_talking:
            mark, state = "●", "talks"
        else:
            mark, state = "○", "listens"
        keys = "".join(caller.pressed[-12:])
        bold, plain = ("\x1b[1m", "\x1b[0m") if caller.is_talking else ("", "")
        return f"  {bold}{mark} {caller.name:8} {state:14} {caller.talked_ms / 1000:5.1f} s  {keys}{plain}".rstrip()

    def end(self):
        """Takes the table away."""
        if self.rows:
            print(f"\x1b[{self.rows}A\x1b[J", end="", file=self.out)
        self.rows = 0
