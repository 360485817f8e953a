"""Double-double arithmetic (Dekker, Knuth): pairs of floats whose sum is a number of 106 bits."""

from lambda_src.jobs.column_permutations.cells import Floats


def _halves(values: Floats) -> tuple[Floats, Floats]:
    """Two floats of 26 bits each, whose products are exact."""
    shifted = values * (2.0**27 + 1)
    high = shifted - (shifted - values)
    return high, values - high


def multiply(left: Floats, right: Floats) -> tuple[Floats, Floats]:
    """``left * right`` of floats, exactly."""
    left_high, left_low = _halves(left)
    right_high, right_low = _halves(right)
    product = left * right
    error = left_high * right_high
    error -= product
    error += left_high * right_low
    error += left_low * right_high
    error += left_low * right_low
    return product, error


def subtract(left: Floats, right: Floats) -> tuple[Floats, Floats]:
    """``left - right`` of floats, exactly."""
    difference = left - right
    right_there = left - difference
    error = left - (difference + right_there)
    error += right_there - right
    return difference, error


def divide(high: Floats, low: Floats, divisor: Floats, divisor_low: Floats) -> tuple[Floats, Floats]:
    """``(high + low) / (divisor + divisor_low)``."""
    quotient = high / divisor
    product, product_low = multiply(quotient, divisor)
    rest = (high - product) - product_low + low - quotient * divisor_low
    correction = rest / divisor
    total = quotient + correction
    return total, correction - (total - quotient)
