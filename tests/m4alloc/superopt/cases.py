"""Functions that can be made cheaper, with the fewest IR instructions known: what searches are measured on.

Restated from the literature, in our own words: H. Warren, "Hacker's Delight", chapter 2 and following, in the
selection of Gulwani et al., "Synthesis of Loop-free Programs" (2011), P1 to P25; arithmetic that allocators do; and
identities of the kind that reports of missed optimisations state.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """One function. best: instructions of the cheapest equal known, the return not counted."""

    name: str
    origin: str
    best: int
    text: str


HACKER, ALLOCATOR, IDENTITY = "Hacker's Delight", "allocator idiom", "identity"

_TABLE = """
p01_turn_off_rightmost_one | h | 2 | i32 x
 n = sub i32 0, x ; l = and i32 x, n ; r = xor i32 x, l
p02_is_mask | h | 2 | i32 x
 p = add i32 x, 1 ; n = xor i32 x, -1 ; o = or i32 n, p ; m = and i32 x, p ; q = and i32 m, o ; r = and i32 q, m
p03_isolate_rightmost_one | h | 2 | i32 x
 m = add i32 x, -1 ; n = xor i32 m, -1 ; r = and i32 x, n
p04_mask_to_rightmost_one | h | 2 | i32 x
 m = sub i32 x, 1 ; a = xor i32 x, -1 ; b = and i32 m, a ; n = sub i32 0, x ; l = and i32 x, n ; r = or i32 b, l
p05_propagate_rightmost_one | h | 2 | i32 x
 n = sub i32 0, x ; l = and i32 x, n ; m = sub i32 l, 1 ; r = or i32 x, m
p06_turn_on_rightmost_zero | h | 2 | i32 x
 n = xor i32 x, -1 ; p = add i32 x, 1 ; l = and i32 n, p ; r = or i32 x, l
p07_isolate_rightmost_zero | h | 3 | i32 x
 n = xor i32 x, -1 ; m = sub i32 0, n ; r = and i32 n, m
p08_trailing_zeros_mask | h | 3 | i32 x
 n = sub i32 0, x ; l = and i32 x, n ; r = sub i32 l, 1
p09_abs | h | 1 | i32 x
 s = ashr i32 x, 31 ; a = xor i32 x, s ; r = sub i32 a, s
p10_same_leading_zeros | h | 3 | i32 x, i32 y
 a = call i32 @llvm.ctlz.i32(i32 x, i1 false) ; b = call i32 @llvm.ctlz.i32(i32 y, i1 false) ; r = icmp eq i32 a, b
p11_fewer_leading_zeros | h | 3 | i32 x, i32 y
 n = xor i32 y, -1 ; a = and i32 n, x ; t = xor i32 a, -1 ; u = xor i32 y, -1 ; r = icmp ult i32 t, u
p12_no_more_leading_zeros | h | 3 | i32 x, i32 y
 n = xor i32 y, -1 ; a = and i32 n, x ; g = icmp ugt i32 a, y ; r = xor i1 g, true
p13_sign | h | 1 | i32 x
 s = ashr i32 x, 31 ; n = sub i32 0, x ; u = lshr i32 n, 31 ; r = or i32 s, u
p14_floor_of_average | h | 4 | i32 x, i32 y
 a = zext i32 x to i64 ; b = zext i32 y to i64 ; s = add i64 a, b
 h = lshr i64 s, 1 ; r = trunc i64 h to i32
p15_ceiling_of_average | h | 4 | i32 x, i32 y
 a = zext i32 x to i64 ; b = zext i32 y to i64 ; s = add i64 a, b ; t = add i64 s, 1 ; h = lshr i64 t, 1
 r = trunc i64 h to i32
p16_max | h | 1 | i32 x, i32 y
 a = xor i32 x, y ; c = icmp uge i32 x, y ; z = zext i1 c to i32
 n = sub i32 0, z ; b = and i32 a, n ; r = xor i32 b, y
p17_turn_off_rightmost_ones | h | 4 | i32 x
 m = add i32 x, -1 ; o = or i32 m, x ; p = add i32 o, 1 ; t = and i32 p, x ; r = or i32 t, 0
p18_is_power_of_two | h | 2 | i32 x
 m = add i32 x, -1 ; a = and i32 x, m ; c = icmp eq i32 a, 0
 z = icmp eq i32 x, 0 ; n = xor i1 z, true ; r = and i1 c, n
p19_exchange_fields | h | 1 | i8 x
 l = lshr i8 x, 4 ; a = xor i8 x, l ; b = and i8 a, 15 ; u = shl i8 b, 4 ; c = xor i8 b, u ; r = xor i8 c, x
p20_next_with_as_many_ones | h | 8 | i16 x
 n = sub i16 0, x ; s = and i16 x, n ; p = add i16 s, x ; d = xor i16 x, p
 z = call i16 @llvm.cttz.i16(i16 s, i1 false) ; k = and i16 z, 15
 e = lshr i16 d, 2 ; q = lshr i16 e, k ; r = or i16 q, p
p21_next_of_two_values | h | 2 | i32 x, i32 y, i32 z
 c = icmp eq i32 x, y ; k = sext i1 c to i32 ; d = xor i32 y, z ; m = and i32 k, d ; r = xor i32 m, y
p22_parity | h | 2 | i32 x
 a = lshr i32 x, 1 ; b = xor i32 a, x ; c = lshr i32 b, 2 ; d = xor i32 b, c ; e = and i32 d, 286331153
 f = mul i32 e, 286331153 ; g = lshr i32 f, 28 ; r = and i32 g, 1
p23_population | h | 1 | i32 x
 a = lshr i32 x, 1 ; b = and i32 a, 1431655765 ; c = sub i32 x, b ; d = and i32 c, 858993459 ; e = lshr i32 c, 2
 f = and i32 e, 858993459 ; g = add i32 d, f ; h = lshr i32 g, 4 ; i = add i32 h, g ; j = and i32 i, 252645135
 k = mul i32 j, 16843009 ; r = lshr i32 k, 24
p24_round_up_to_power_of_two | h | 5 | i32 x
 a = add i32 x, -1 ; b = lshr i32 a, 1 ; c = or i32 a, b ; d = lshr i32 c, 2 ; e = or i32 c, d ; f = lshr i32 e, 4
 g = or i32 e, f ; h = lshr i32 g, 8 ; i = or i32 g, h ; j = lshr i32 i, 16 ; k = or i32 i, j ; r = add i32 k, 1
p25_high_half_of_product | h | 5 | i8 x, i8 y
 a = and i8 x, 15 ; b = lshr i8 x, 4 ; c = and i8 y, 15 ; d = lshr i8 y, 4 ; e = mul i8 a, c ; f = mul i8 b, c
 g = mul i8 a, d ; h = mul i8 b, d ; i = lshr i8 e, 4 ; j = add i8 f, i ; k = and i8 j, 15 ; l = lshr i8 j, 4
 m = add i8 k, g ; n = lshr i8 m, 4 ; o = add i8 h, l ; r = add i8 o, n
align_down | a | 1 | i64 x
 a = urem i64 x, 4096 ; r = sub i64 x, a
align_up | a | 2 | i64 x
 a = add i64 x, 15 ; b = udiv i64 a, 16 ; r = mul i64 b, 16
align_up_by_negation | a | 2 | i64 x
 n = sub i64 0, x ; a = and i64 n, -16 ; b = sub i64 0, a ; r = or i64 b, 0
padding_to_granule | a | 2 | i64 x
 a = and i64 x, 15 ; b = sub i64 16, a ; r = and i64 b, 15
is_aligned | a | 2 | i64 x
 a = udiv i64 x, 64 ; b = mul i64 a, 64 ; r = icmp eq i64 a, b ; s = icmp eq i64 x, b ; q = or i1 s, false ; return s
both_aligned | a | 3 | i64 x, i64 y
 a = and i64 x, 15 ; b = and i64 y, 15 ; c = icmp eq i64 a, 0 ; d = icmp eq i64 b, 0 ; r = and i1 c, d
same_page | a | 2 | i64 x, i64 y
 a = and i64 x, -4096 ; b = and i64 y, -4096 ; r = icmp eq i64 a, b
same_slab_by_division | a | 2 | i32 x, i32 y
 a = udiv i32 x, 65536 ; b = udiv i32 y, 65536 ; d = sub i32 a, b ; r = icmp eq i32 d, 0
log2_floor | a | 2 | i64 x
 c = call i64 @llvm.ctlz.i64(i64 x, i1 false) ; r = sub i64 63, c
size_class_of_power | a | 3 | i64 x
 m = sub i64 x, 1 ; c = call i64 @llvm.ctlz.i64(i64 m, i1 false) ; d = sub i64 63, c ; r = add i64 d, 1
slot_bit_is_set | a | 2 | i64 x, i64 y
 k = and i64 y, 63 ; o = shl i64 1, k ; a = and i64 x, o ; r = icmp ne i64 a, 0
first_free_slot | a | 2 | i64 x
 n = xor i64 x, -1 ; l = sub i64 0, n ; i = and i64 n, l ; m = sub i64 i, 1 ; r = call i64 @llvm.ctpop.i64(i64 m)
take_first_free_slot | a | 2 | i64 x
 n = xor i64 x, -1 ; l = sub i64 0, n ; i = and i64 n, l ; r = add i64 x, i ; q = or i64 x, i ; return q
low_mask | a | 2 | i64 x
 k = and i64 x, 63 ; o = shl i64 1, k ; m = sub i64 o, 1 ; n = xor i64 m, -1 ; r = xor i64 n, -1
is_empty_or_full | a | 2 | i32 x
 a = icmp eq i32 x, 0 ; b = icmp eq i32 x, -1 ; r = or i1 a, b
in_range | a | 2 | i32 x
 a = icmp uge i32 x, 16 ; b = icmp ult i32 x, 1024 ; r = and i1 a, b
add_overflows | a | 2 | i32 x, i32 y
 s = add i32 x, y ; a = icmp ult i32 s, x ; b = icmp ult i32 s, y ; r = or i1 a, b
product_overflows | a | 2 | i32 x, i32 y
 a = zext i32 x to i64 ; b = zext i32 y to i64 ; p = mul i64 a, b ; h = lshr i64 p, 32 ; r = icmp ne i64 h, 0
saturating_sum | a | 1 | i32 x, i32 y
 s = add i32 x, y ; c = icmp ult i32 s, x ; r = select i1 c, i32 -1, i32 s
difference_or_zero | a | 1 | i32 x, i32 y
 c = icmp ugt i32 x, y ; d = sub i32 x, y ; r = select i1 c, i32 d, i32 0
clamp_size | a | 2 | i32 x
 a = icmp ult i32 x, 16 ; m = select i1 a, i32 16, i32 x ; b = icmp ugt i32 m, 1024 ; r = select i1 b, i32 1024, i32 m
distance | a | 3 | i32 x, i32 y
 c = icmp ugt i32 x, y ; a = sub i32 x, y ; b = sub i32 y, x ; r = select i1 c, i32 a, i32 b
rotate_hash | a | 1 | i32 x
 a = shl i32 x, 5 ; b = lshr i32 x, 27 ; r = or i32 a, b
bytes_turned | a | 1 | i32 x
 a = shl i32 x, 24 ; b = shl i32 x, 8 ; c = and i32 b, 16711680 ; d = lshr i32 x, 8 ; e = and i32 d, 65280
 f = lshr i32 x, 24 ; g = or i32 a, c ; h = or i32 g, e ; r = or i32 h, f
sum_by_or_and_and | i | 1 | i32 x, i32 y
 a = or i32 x, y ; b = and i32 x, y ; r = add i32 a, b
xor_by_or_minus_and | i | 1 | i32 x, i32 y
 a = or i32 x, y ; b = and i32 x, y ; r = sub i32 a, b
or_by_xor_plus_and | i | 1 | i32 x, i32 y
 a = xor i32 x, y ; b = and i32 x, y ; r = add i32 a, b
difference_by_and_not | i | 1 | i32 x, i32 y
 a = xor i32 y, -1 ; b = and i32 x, a ; c = xor i32 x, -1 ; d = and i32 c, y ; r = sub i32 b, d
exchange_twice | i | 0 | i32 x, i32 y
 a = xor i32 x, y ; b = xor i32 a, y ; c = xor i32 a, b ; d = xor i32 b, c ; e = xor i32 d, c
 r = add i32 e, 0 ; return e
sum_by_carry | i | 1 | i32 x, i32 y
 a = xor i32 x, y ; b = and i32 x, y ; c = add i32 b, b ; r = add i32 a, c
not_of_minus | i | 1 | i32 x
 n = sub i32 0, x ; r = xor i32 n, -1
sign_extension | i | 2 | i32 x
 a = and i32 x, 255 ; b = xor i32 a, 128 ; r = sub i32 b, 128
odd_above | i | 1 | i32 x
 a = and i32 x, 1 ; c = icmp eq i32 a, 0 ; p = add i32 x, 1 ; r = select i1 c, i32 p, i32 x
rest_by_power_of_two | i | 1 | i32 x
 q = lshr i32 x, 3 ; m = shl i32 q, 3 ; r = sub i32 x, m
halves_joined | i | 0 | i32 x
 h = lshr i32 x, 16 ; a = shl i32 h, 16 ; l = and i32 x, 65535 ; r = or i32 a, l
same_sign | i | 2 | i32 x, i32 y
 a = icmp slt i32 x, 0 ; b = icmp slt i32 y, 0 ; c = xor i1 a, b ; r = xor i1 c, true
is_minimum_or_zero | i | 2 | i32 x
 n = sub i32 0, x ; r = icmp eq i32 x, n
min_plus_max | i | 1 | i32 x, i32 y
 a = call i32 @llvm.umin.i32(i32 x, i32 y) ; b = call i32 @llvm.umax.i32(i32 x, i32 y) ; r = add i32 a, b
low_zero_bits_kept | i | 2 | i32 x
 z = call i32 @llvm.cttz.i32(i32 x, i1 false) ; c = icmp eq i32 x, 0 ; k = and i32 z, 31 ; o = shl i32 1, k
 r = select i1 c, i32 0, i32 o
"""

_MEMORY = (
    Case("merge_bytes", ALLOCATOR, 1, """
define i16 @f(ptr noundef %p) {
  %q = getelementptr i8, ptr %p, i64 1
  %a = load i8, ptr %p, align 1
  %b = load i8, ptr %q, align 1
  %c = zext i8 %a to i16
  %d = zext i8 %b to i16
  %e = shl i16 %d, 8
  %r = or i16 %c, %e
  ret i16 %r
}"""),
    Case("load_twice", ALLOCATOR, 1, """
define i32 @f(ptr noundef %p) {
  %a = load i32, ptr %p, align 4
  %b = load i32, ptr %p, align 4
  %c = and i32 %a, %b
  ret i32 %c
}"""),
    Case("store_forwarded", ALLOCATOR, 2, """
define i32 @f(ptr noundef %p, i32 noundef %x) {
  %a = add i32 %x, 1
  store i32 %a, ptr %p, align 4
  %b = load i32, ptr %p, align 4
  ret i32 %b
}"""),
    Case("store_overwritten", ALLOCATOR, 1, """
define void @f(ptr noundef %p, i32 noundef %x) {
  store i32 0, ptr %p, align 4
  store i32 %x, ptr %p, align 4
  ret void
}"""),
    Case("header_test", ALLOCATOR, 3, """
define i1 @f(ptr noundef %p) {
  %h = load i64, ptr %p, align 8
  %a = lshr i64 %h, 3
  %b = and i64 %a, 1
  %r = icmp ne i64 %b, 0
  ret i1 %r
}"""),
    Case("header_halves", ALLOCATOR, 1, """
define i64 @f(ptr noundef %p) {
  %h = load i64, ptr %p, align 8
  %a = and i64 %h, -8
  %b = and i64 %h, 7
  %r = add i64 %a, %b
  ret i64 %r
}"""),
    Case("branchy_max", ALLOCATOR, 1, """
define i32 @f(i32 noundef %x, i32 noundef %y) {
  %c = icmp sgt i32 %x, %y
  br i1 %c, label %a, label %b
a:
  br label %e
b:
  br label %e
e:
  %r = phi i32 [ %x, %a ], [ %y, %b ]
  ret i32 %r
}"""),
    Case("branchy_abs", ALLOCATOR, 1, """
define i32 @f(i32 noundef %x) {
  %c = icmp slt i32 %x, 0
  br i1 %c, label %a, label %e
a:
  %n = sub i32 0, %x
  br label %e
e:
  %r = phi i32 [ %n, %a ], [ %x, %0 ]
  ret i32 %r
}"""),
    Case("branchy_clamp", ALLOCATOR, 2, """
define i32 @f(i32 noundef %x) {
  %c = icmp slt i32 %x, 0
  br i1 %c, label %e, label %a
a:
  %d = icmp sgt i32 %x, 255
  br i1 %d, label %b, label %e
b:
  br label %e
e:
  %r = phi i32 [ 0, %0 ], [ %x, %a ], [ 255, %b ]
  ret i32 %r
}"""),
    Case("division_checks_product", ALLOCATOR, 2, """
define i1 @f(i32 noundef %x, i32 noundef %y) {
  %z = icmp eq i32 %x, 0
  br i1 %z, label %e, label %a
a:
  %p = mul i32 %x, %y
  %q = udiv i32 %p, %x
  %o = icmp ne i32 %q, %y
  br label %e
e:
  %r = phi i1 [ false, %0 ], [ %o, %a ]
  ret i1 %r
}"""),
)  # fmt: skip


def _written(block: str) -> Case:
    """One entry of the table: a header, then instructions parted by semicolons, values without their sign."""
    header, *lines = block.strip().splitlines()
    name, kind, best, given = (part.strip() for part in header.split("|"))
    arguments = [part.split() for part in given.split(",")]
    body = [part.strip() for line in lines for part in line.split(";")]
    returned = "r"
    if body[-1].startswith("return "):
        returned = body.pop().split()[1]
    values = {part.split(" = ")[0] for part in body} | {argument for _, argument in arguments}

    def signed(text: str) -> str:
        return re.sub(r"(?<![\w@%.])([a-z])\b", lambda found: ("%" if found[1] in values else "") + found[1], text)

    last = next(part for part in body if part.startswith(f"{returned} = "))
    words = last.split()
    type_ = "i1" if words[2] == "icmp" else (words[-1] if words[2] in ("zext", "sext", "trunc") else _type(words))
    listed = ", ".join(f"{kind} noundef %{argument}" for kind, argument in arguments)
    text = "\n".join(["", f"define {type_} @f({listed}) {{", *(f"  {signed(part)}" for part in body)])
    text += f"\n  ret {type_} %{returned}\n}}\n"
    origin = {"h": HACKER, "a": ALLOCATOR, "i": IDENTITY}[kind]
    return Case(name, origin, int(best), text)


def _type(words: list[str]) -> str:
    """Of the result: the type in front of the last operand of a select, the first type named elsewhere."""
    found = [word for word in words if re.fullmatch(r"i\d+", word)]
    return found[1] if words[2] == "select" else found[0]


CASES = (*map(_written, re.split(r"\n(?=\w)", _TABLE.strip())), *_MEMORY)
