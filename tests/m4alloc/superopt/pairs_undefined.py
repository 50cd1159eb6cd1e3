"""Pairs about undef, poison: uses that differ, freeze, what may be poison where it was not."""

REJECT = """
freeze_dropped: the argument may be poison
define i32 @f(i32 %x) {
%r = freeze i32 %x
ret i32 %r
=>
ret i32 %x

freeze_of_undef_dropped: the result was one value, and becomes a new one at each look
define i32 @f() {
%r = freeze i32 undef
ret i32 %r
=>
ret i32 undef

zero_to_xor_undef: two uses of undef differ
define i32 @f(i32 %x) {
ret i32 0
=>
%r = xor i32 %x, %x
ret i32 %r

shl_to_add_undef: the sum of two uses may be odd
define i32 @f(i32 %x) {
%r = shl i32 %x, 1
ret i32 %r
=>
%r = add i32 %x, %x
ret i32 %r

mul_to_adds_undef: the sum of four uses need not be a multiple of four
define i8 @f(i8 %x) {
%r = mul i8 %x, 4
ret i8 %r
=>
%a = add i8 %x, %x
%b = add i8 %x, %x
%r = add i8 %a, %b
ret i8 %r

icmp_undef: equal is true for a value, not for undef
define i1 @f(i32 %x) {
ret i1 true
=>
%r = icmp eq i32 %x, %x
ret i1 %r
"""

ACCEPT = """
flags_dropped: fewer results are poison
define i32 @f(i32 %x, i32 %y) {
%a = mul nuw nsw i32 %x, %y
%r = shl nuw i32 %a, 2
ret i32 %r
=>
%a = mul i32 %x, %y
%r = shl i32 %a, 2
ret i32 %r

select_to_and_frozen: the freeze stops the poison
define i1 @f(i1 %c, i1 %b) {
%r = select i1 %c, i1 %b, i1 false
ret i1 %r
=>
%z = freeze i1 %b
%r = and i1 %c, %z
ret i1 %r

xor_undef_to_zero: 0 is among the results
define i32 @f(i32 %x) {
%r = xor i32 %x, %x
ret i32 %r
=>
ret i32 0

add_to_shl_undef: an even number is among the sums
define i32 @f(i32 %x) {
%r = add i32 %x, %x
ret i32 %r
=>
%r = shl i32 %x, 1
ret i32 %r

triple_to_adds_undef: three times undef is any value, as three is odd
define i8 @f(i8 %x) {
%r = mul i8 %x, 3
ret i8 %r
=>
%a = add i8 %x, %x
%r = add i8 %a, %x
ret i8 %r

freeze_undef_to_value: any value
define i32 @f() {
%r = freeze i32 undef
ret i32 %r
=>
ret i32 42

freeze_kept: the same
define i32 @f(i32 %x) {
%z = freeze i32 %x
%r = xor i32 %z, %z
ret i32 %r
=>
ret i32 0

freeze_moved: through an operation without flags
define i32 @f(i32 %x) {
%a = add i32 %x, 1
%r = freeze i32 %a
ret i32 %r
=>
%z = freeze i32 %x
%r = add i32 %z, 1
ret i32 %r

mul_to_shl: a power of two
define i32 @f(i32 %x) {
%r = mul i32 %x, 8
ret i32 %r
=>
%r = shl i32 %x, 3
ret i32 %r

urem_to_and: a power of two
define i32 @f(i32 %x) {
%r = urem i32 %x, 16
ret i32 %r
=>
%r = and i32 %x, 15
ret i32 %r

sdiv_exact_to_ashr: no rest
define i32 @f(i32 %x) {
%r = sdiv exact i32 %x, 8
ret i32 %r
=>
%r = ashr exact i32 %x, 3
ret i32 %r

disjoint_to_add: no carry
define i32 @f(i32 %x, i32 %y) {
%r = or disjoint i32 %x, %y
ret i32 %r
=>
%r = add i32 %x, %y
ret i32 %r
"""
