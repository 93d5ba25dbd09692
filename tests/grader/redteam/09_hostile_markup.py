"""Speaks to those who read the report.

Kata: backoff_schedule
Attack: Raises errors whose text is HTML, a spreadsheet formula, terminal commands and characters that cannot be encoded.
Status: failed
Points: 0
"""

TEXT = (
    "</script><script>document.title='harm'</script><img src=x onerror=alert(1)> ]]> &#0; --> "
    '=HYPERLINK("http://198.51.100.1/","marks") \x1b]0;title\x07\x1b[2J\x1b[31m \x00 \ud800 \u202e \x9b1m \r\n::error::x'
)


def attack():
    print(TEXT.encode("utf-8", "surrogatepass"))
    raise RuntimeError(TEXT)


def delay(*args, **options):
    return attack()


Backoff = delay
