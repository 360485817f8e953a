"""What DynamoDB holds of JSON."""

import json
import math
from decimal import Decimal

import pytest
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from hypothesis import given
from hypothesis import strategies as st

from lambda_src.aws.dynamodb import from_attribute, reasons_of, to_attribute

# What a table holds is within 38 digits, and so are floats.
NUMBERS = st.integers(-(10**37), 10**37) | st.floats(-1e100, 1e100).filter(
    lambda value: value == 0 or abs(value) > 1e-100
)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON)
def test_it_is_written_as_boto3_reads_it_and_comes_back(value: object) -> None:
    read = TypeDeserializer().deserialize(to_attribute(value))
    assert read == json.loads(json.dumps(value), parse_float=Decimal)
    assert from_attribute(to_attribute(value)) == value


@given(JSON)
def test_what_boto3_writes_is_read(value: object) -> None:
    written = TypeSerializer().serialize(json.loads(json.dumps(value), parse_float=Decimal))
    assert from_attribute(written) == value


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, b"", object()])
def test_what_it_cannot_hold_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="DynamoDB has no type for"):
        to_attribute(value)


def test_actions_that_were_not_at_fault_are_no_reasons() -> None:
    answer = {"CancellationReasons": [{"Code": "None"}, {"Code": "ThrottlingError"}, {}, {"Code": "NONE"}]}
    assert reasons_of(answer) == {"ThrottlingError"}
    assert reasons_of({}) == frozenset()
