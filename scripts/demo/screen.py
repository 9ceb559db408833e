"""What the demo shows: a table that is redrawn in place, or plain lines without a terminal."""
import shutil
import sys
import time

ROWS_MAX = 14
PLAIN_EVERY = 4.0  # seconds between plain lines


class Screen:
    def __init__(self):
        self.live = sys.stdout.isatty()
        self._drawn = 0
        self._plain_last = 0.0

    def say(self, text):
        """A line that stays, above the table."""
        self._clear()
        print(text, flush=True)

    def show(self, headline, table):
        if not self.live:
            if time.monotonic() - self._plain_last >= PLAIN_EVERY:
                self._plain_last = time.monotonic()
                print("  " + headline, flush=True)
            return
        width, height = shutil.get_terminal_size()
        rows = self._rows(table, max(3, min(ROWS_MAX, height - 8)))
        self._clear()
        lines = [line[:width - 1] for line in ["", headline, *rows]]
        print("\n".join(lines), flush=True)
        self._drawn = len(lines)

    def last(self, table):
        """The table as it is at the end; it stays."""
        self._clear()
        print("\n".join(self._rows(table, ROWS_MAX)), flush=True)

    def _clear(self):
        if self._drawn:
            sys.stdout.write(f"\x1b[{self._drawn}A\x1b[J")
            self._drawn = 0

    @staticmethod
    def _rows(table, most):
        rows = [f"  {'sensor':<26}{'window':>10}{'n':>5}{'mean':>12}{'p95':>12}{'max':>12}"]
        for sensor, result in table[:most]:
            end = time.strftime("%H:%M:%S", time.localtime(result["end"] / 1000))
            numbers = "".join(f"{result[name]:>12.2f}" for name in ("mean", "p95", "max"))
            rows.append(f"  {sensor:<26}{end:>10}{result['n']:>5}{numbers}")
        if len(table) > most:
            rows.append(f"  and {len(table) - most} sensors more")
        return rows
