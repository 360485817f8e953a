"""Times as people read them."""


def time_text(seconds: float) -> str:
    """A time for a person.

    >>> time_text(0.84), time_text(119.94), time_text(600), time_text(725.6), time_text(10811.6)
    ('0.8 s', '119.9 s', '10 min', '12 min 6 s', '3 h 0 min')
    """
    if seconds < 120:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"
