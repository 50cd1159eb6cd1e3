"""Pairs about values that are neither undef nor poison at the start: flags, shifts, intrinsics, vectors."""

REJECT = """
nuw_added: wraps
define i8 @f(i8 noundef %x, i8 noundef %y) {
%r = sub i8 %x, %y
ret i8 %r
=>
%r = sub nuw i8 %x, %y
ret i8 %r

nsw_mul_added: 16 * 16 in i8
define i8 @f(i8 noundef %x) {
%r = mul i8 %x, %x
ret i8 %r
=>
%r = mul nsw i8 %x, %x
ret i8 %r

nsw_shl_added: shifts out a bit that is not the sign
define i32 @f(i32 noundef %x) {
%r = shl i32 %x, 1
ret i32 %r
=>
%r = shl nsw i32 %x, 1
ret i32 %r

exact_added: odd numbers
define i32 @f(i32 noundef %x) {
%r = lshr i32 %x, 1
ret i32 %r
=>
%r = lshr exact i32 %x, 1
ret i32 %r

exact_sdiv_added: 3 / 2 leaves a rest
define i32 @f(i32 noundef %x) {
%r = sdiv i32 %x, 2
ret i32 %r
=>
%r = sdiv exact i32 %x, 2
ret i32 %r

disjoint_added: both may have a bit
define i32 @f(i32 noundef %x, i32 noundef %y) {
%r = or i32 %x, %y
ret i32 %r
=>
%r = or disjoint i32 %x, %y
ret i32 %r

nneg_added: negative numbers
define i64 @f(i32 noundef %x) {
%r = zext i32 %x to i64
ret i64 %r
=>
%r = zext nneg i32 %x to i64
ret i64 %r

sext_for_zext: negative numbers
define i64 @f(i32 noundef %x) {
%r = zext i32 %x to i64
ret i64 %r
=>
%r = sext i32 %x to i64
ret i64 %r

samesign_added: -1 and 1
define i1 @f(i32 noundef %x, i32 noundef %y) {
%r = icmp ult i32 %x, %y
ret i1 %r
=>
%r = icmp samesign ult i32 %x, %y
ret i1 %r

trunc_nuw_added: high bits
define i8 @f(i32 noundef %x) {
%r = trunc i32 %x to i8
ret i8 %r
=>
%r = trunc nuw i32 %x to i8
ret i8 %r

select_to_and: poison in the arm that is not taken
define i1 @f(i1 noundef %c, i1 %b) {
%r = select i1 %c, i1 %b, i1 false
ret i1 %r
=>
%r = and i1 %c, %b
ret i1 %r

select_to_or: poison in the arm that is not taken
define i1 @f(i1 noundef %c, i1 %b) {
%r = select i1 %c, i1 true, i1 %b
ret i1 %r
=>
%r = or i1 %c, %b
ret i1 %r

select_to_arithmetic: poison of the arm that is not taken
define i32 @f(i1 noundef %c, i32 %x) {
%r = select i1 %c, i32 %x, i32 0
ret i32 %r
=>
%m = sext i1 %c to i32
%r = and i32 %m, %x
ret i32 %r

undef_more: an even number is no undef
define i32 @f(i32 noundef %x) {
%r = and i32 undef, -2
ret i32 %r
=>
ret i32 undef

sdiv_for_ashr: rounds to zero instead of down
define i32 @f(i32 noundef %x) {
%r = ashr i32 %x, 1
ret i32 %r
=>
%r = sdiv i32 %x, 2
ret i32 %r

urem_zero: x % y is undefined at 0
define i32 @f(i32 noundef %x, i32 noundef %y) {
%r = and i32 %x, %y
ret i32 %r
=>
%t = urem i32 %x, %y
%r = and i32 %x, %y
ret i32 %r

shift_past_width: poison where there was 0
define i32 @f(i32 noundef %x, i32 noundef %n) {
%c = icmp ult i32 %n, 32
%s = shl i32 %x, %n
%r = select i1 %c, i32 %s, i32 0
ret i32 %r
=>
%r = shl i32 %x, %n
ret i32 %r

rotate_by_shifts: the second shift is by 32 at 0
define i32 @f(i32 noundef %x, i32 noundef %n) {
%r = call i32 @llvm.fshl.i32(i32 %x, i32 %x, i32 %n)
ret i32 %r
=>
%m = and i32 %n, 31
%k = sub i32 32, %m
%a = shl i32 %x, %m
%b = lshr i32 %x, %k
%r = or i32 %a, %b
ret i32 %r

ctlz_zero_poison: the argument may be 0
define i32 @f(i32 noundef %x) {
%r = call i32 @llvm.ctlz.i32(i32 %x, i1 false)
ret i32 %r
=>
%r = call i32 @llvm.ctlz.i32(i32 %x, i1 true)
ret i32 %r

cttz_zero_poison_select: the argument may be 0 in the other arm
define i32 @f(i32 noundef %x) {
%r = call i32 @llvm.cttz.i32(i32 %x, i1 false)
ret i32 %r
=>
%t = call i32 @llvm.cttz.i32(i32 %x, i1 true)
%z = icmp eq i32 %x, 0
%m = select i1 %z, i32 31, i32 %t
ret i32 %m

abs_min_poison: the least number
define i32 @f(i32 noundef %x) {
%r = call i32 @llvm.abs.i32(i32 %x, i1 false)
ret i32 %r
=>
%r = call i32 @llvm.abs.i32(i32 %x, i1 true)
ret i32 %r

noundef_argument: the target demands more of its argument
define i32 @f(i32 %x) {
ret i32 0
=>
define i32 @f(i32 noundef %x) {
ret i32 0

nsw_reassociated: the partial sum may overflow
define i32 @f(i32 noundef %x, i32 noundef %y, i32 noundef %z) {
%a = add nsw i32 %x, %y
%r = add nsw i32 %a, %z
ret i32 %r
=>
%a = add nsw i32 %y, %z
%r = add nsw i32 %x, %a
ret i32 %r

factored_nsw: x*y + x*z overflows less often than x*(y+z) promises
define i8 @f(i8 noundef %x, i8 noundef %y, i8 noundef %z) {
%a = mul nsw i8 %x, %y
%b = mul nsw i8 %x, %z
%r = add nsw i8 %a, %b
ret i8 %r
=>
%s = add nsw i8 %y, %z
%r = mul nsw i8 %x, %s
ret i8 %r

compare_sum: x + 1 > x fails at the top
define i1 @f(i32 noundef %x) {
%y = add i32 %x, 1
%r = icmp sgt i32 %y, %x
ret i1 %r
=>
ret i1 true

signed_for_unsigned: the sign bit
define i1 @f(i32 noundef %x) {
%r = icmp ult i32 %x, 10
ret i1 %r
=>
%r = icmp slt i32 %x, 10
ret i1 %r

midpoint: the sum wraps
define i32 @f(i32 noundef %x, i32 noundef %y) {
%d = sub i32 %y, %x
%h = lshr i32 %d, 1
%r = add i32 %x, %h
ret i32 %r
=>
%s = add i32 %x, %y
%r = lshr i32 %s, 1
ret i32 %r

shuffle_lanes: the mask is another
define <2 x i8> @f(<2 x i8> noundef %x) {
%r = shufflevector <2 x i8> %x, <2 x i8> poison, <2 x i32> <i32 1, i32 0>
ret <2 x i8> %r
=>
ret <2 x i8> %x

lane_poison: one lane becomes poison
define <2 x i8> @f(<2 x i8> noundef %x) {
ret <2 x i8> %x
=>
%r = insertelement <2 x i8> %x, i8 poison, i32 1
ret <2 x i8> %r

index_out_of_range: the index may be 2
define i8 @f(<2 x i8> noundef %x, i32 noundef %i) {
%m = and i32 %i, 1
%r = extractelement <2 x i8> %x, i32 %m
ret i8 %r
=>
%r = extractelement <2 x i8> %x, i32 %i
ret i8 %r

vector_flag_added: wraps in a lane
define <2 x i8> @f(<2 x i8> noundef %x, <2 x i8> noundef %y) {
%r = add <2 x i8> %x, %y
ret <2 x i8> %r
=>
%r = add nsw <2 x i8> %x, %y
ret <2 x i8> %r

saturation_dropped: wraps at the top
define i8 @f(i8 noundef %x, i8 noundef %y) {
%r = call i8 @llvm.uadd.sat.i8(i8 %x, i8 %y)
ret i8 %r
=>
%r = add i8 %x, %y
ret i8 %r
"""

ACCEPT = """
and_to_select: less poison
define i1 @f(i1 %c, i1 %b) {
%r = and i1 %c, %b
ret i1 %r
=>
%r = select i1 %c, i1 %b, i1 false
ret i1 %r

undef_to_anything: undef may be any value
define i32 @f(i32 noundef %x) {
ret i32 undef
=>
ret i32 %x

sum_with_undef: undef may be the difference
define i32 @f(i32 noundef %x, i32 noundef %y) {
%a = add i32 %x, undef
%r = mul i32 %a, 1
ret i32 %r
=>
ret i32 %y

freeze_of_defined: the argument is neither undef nor poison
define i32 @f(i32 noundef %x) {
%r = freeze i32 %x
ret i32 %r
=>
ret i32 %x

poison_to_anything: poison may be any value
define i32 @f(i32 noundef %x) {
%r = lshr i32 %x, 40
ret i32 %r
=>
ret i32 %x

shift_masked: the count is below the width already
define i32 @f(i32 noundef %x, i32 noundef %n) {
%r = shl i32 %x, %n
ret i32 %r
=>
%m = and i32 %n, 31
%r = shl i32 %x, %m
ret i32 %r

rotate: with both counts masked
define i32 @f(i32 noundef %x, i32 noundef %n) {
%m = and i32 %n, 31
%k = sub i32 0, %n
%j = and i32 %k, 31
%a = shl i32 %x, %m
%b = lshr i32 %x, %j
%r = or i32 %a, %b
ret i32 %r
=>
%r = call i32 @llvm.fshl.i32(i32 %x, i32 %x, i32 %n)
ret i32 %r

range_used: the attribute says so
define i32 @f(i32 noundef range(i32 0, 64) %x) {
%r = and i32 %x, 63
ret i32 %r
=>
ret i32 %x

nsw_compare: no overflow
define i1 @f(i32 noundef %x) {
%y = add nsw i32 %x, 1
%r = icmp sgt i32 %y, %x
ret i1 %r
=>
ret i1 true

reassociated: without flags
define i32 @f(i32 noundef %x, i32 noundef %y, i32 noundef %z) {
%a = add nsw i32 %x, %y
%r = add nsw i32 %a, %z
ret i32 %r
=>
%a = add i32 %y, %z
%r = add i32 %x, %a
ret i32 %r

zext_nneg_to_sext: no sign
define i64 @f(i32 %x) {
%r = zext nneg i32 %x to i64
ret i64 %r
=>
%r = sext i32 %x to i64
ret i64 %r

min_by_select: the intrinsic
define i32 @f(i32 noundef %x, i32 noundef %y) {
%c = icmp ult i32 %x, %y
%r = select i1 %c, i32 %x, i32 %y
ret i32 %r
=>
%r = call i32 @llvm.umin.i32(i32 %x, i32 %y)
ret i32 %r

abs_by_shift: the sign spread
define i32 @f(i32 noundef %x) {
%s = ashr i32 %x, 31
%y = xor i32 %x, %s
%r = sub i32 %y, %s
ret i32 %r
=>
%r = call i32 @llvm.abs.i32(i32 %x, i1 false)
ret i32 %r

saturated_by_overflow: the intrinsic's flag
define i32 @f(i32 noundef %x, i32 noundef %y) {
%m = call { i32, i1 } @llvm.uadd.with.overflow.i32(i32 %x, i32 %y)
%s = extractvalue { i32, i1 } %m, 0
%o = extractvalue { i32, i1 } %m, 1
%r = select i1 %o, i32 -1, i32 %s
ret i32 %r
=>
%r = call i32 @llvm.uadd.sat.i32(i32 %x, i32 %y)
ret i32 %r

bswap_by_shifts: four bytes
define i32 @f(i32 noundef %x) {
%a = shl i32 %x, 24
%b = lshr i32 %x, 24
%c = shl i32 %x, 8
%d = and i32 %c, 16711680
%e = lshr i32 %x, 8
%g = and i32 %e, 65280
%h = or i32 %a, %b
%i = or i32 %d, %g
%r = or i32 %h, %i
ret i32 %r
=>
%r = call i32 @llvm.bswap.i32(i32 %x)
ret i32 %r

isolated_bit_count: cttz of a number that is not 0
define i32 @f(i32 noundef %x) {
%z = icmp eq i32 %x, 0
%t = call i32 @llvm.cttz.i32(i32 %x, i1 true)
%r = select i1 %z, i32 32, i32 %t
ret i32 %r
=>
%r = call i32 @llvm.cttz.i32(i32 %x, i1 false)
ret i32 %r

vector_sum: lanes added one by one
define i32 @f(<4 x i32> %x) {
%a = extractelement <4 x i32> %x, i32 0
%b = extractelement <4 x i32> %x, i32 1
%c = extractelement <4 x i32> %x, i32 2
%d = extractelement <4 x i32> %x, i32 3
%e = add i32 %a, %b
%g = add i32 %c, %d
%r = add i32 %e, %g
ret i32 %r
=>
%r = call i32 @llvm.vector.reduce.add.v4i32(<4 x i32> %x)
ret i32 %r

shuffle_twice: back again
define <2 x i8> @f(<2 x i8> noundef %x) {
%a = shufflevector <2 x i8> %x, <2 x i8> poison, <2 x i32> <i32 1, i32 0>
%r = shufflevector <2 x i8> %a, <2 x i8> poison, <2 x i32> <i32 1, i32 0>
ret <2 x i8> %r
=>
ret <2 x i8> %x

vector_select_mask: lane by lane
define <2 x i8> @f(<2 x i8> noundef %x) {
%c = icmp slt <2 x i8> %x, zeroinitializer
%r = select <2 x i1> %c, <2 x i8> zeroinitializer, <2 x i8> %x
ret <2 x i8> %r
=>
%r = call <2 x i8> @llvm.smax.v2i8(<2 x i8> %x, <2 x i8> zeroinitializer)
ret <2 x i8> %r
"""
