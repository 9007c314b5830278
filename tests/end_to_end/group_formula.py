"""Formulas of permutation groups, as people write them: "S_768 x ((S_64 x S_64) wr S_12)^12".

    formula = product
    product = power " x " power ...
    power   = group | group "^" number
    group   = "S_" number | "(" wreath ")"
    wreath  = product | group " wr S_" number

A parsed formula is a sorted tuple of its factors; a factor is a number n, for S_n, or a pair (what is inside each of n
blocks, n). Powers are written out, and products inside of products are part of them.
"""

import math
import re


def parse(text):
    """The factors of a formula; "1 (...)" and "" have none."""
    tokens = re.findall(r"S_\d+|\d+|wr|x|[()^]", "" if text.startswith("1") else text)
    factors, rest = _wreath(tokens)
    if rest:
        raise ValueError(f"{text!r} is no formula of a group, from {rest[0]!r} on")
    return factors


def _wreath(tokens):
    factors, tokens = _product(tokens)
    if tokens[:1] == ["wr"]:
        return ((factors, int(tokens[1][2:])),), tokens[2:]
    return factors, tokens


def _product(tokens):
    factors = []
    while tokens and tokens[0] != ")":
        group, tokens = _group(tokens)
        times = 1
        if tokens[:1] == ["^"]:
            times, tokens = int(tokens[1]), tokens[2:]
        factors += list(group) * times
        if tokens[:1] != ["x"]:
            break
        tokens = tokens[1:]
    return tuple(sorted(factors, key=str)), tokens


def _group(tokens):
    if tokens[0] != "(":
        return (int(tokens[0][2:]),), tokens[1:]
    factors, tokens = _wreath(tokens[1:])
    if tokens[:1] != [")"]:
        raise ValueError("a bracket is not closed")
    return factors, tokens[1:]


def log10_order(factors):
    """log10 of the order: n! for S_n, and (order inside)^n n! for a wreath product."""
    total = 0.0
    for factor in factors:
        inside, n = (0.0, factor) if isinstance(factor, int) else (log10_order(factor[0]), factor[1])
        total += n * inside + math.lgamma(n + 1) / math.log(10)
    return total
