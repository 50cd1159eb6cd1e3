; What the policy is trained on: idioms of allocators and of bit manipulation, as they are first written.

define i32 @turn_off_lowest(i32 noundef %x) {
  %n = sub i32 0, %x
  %l = and i32 %x, %n
  %r = sub i32 %x, %l
  ret i32 %r
}

define i32 @turn_on_lowest_zero(i32 noundef %x) {
  %c = xor i32 %x, -1
  %p = add i32 %x, 1
  %l = and i32 %c, %p
  %r = add i32 %x, %l
  ret i32 %r
}

define i32 @largest(i32 noundef %x, i32 noundef %y) {
  %c = icmp ugt i32 %x, %y
  %r = select i1 %c, i32 %x, i32 %y
  ret i32 %r
}

define i32 @magnitude(i32 noundef %x) {
  %c = icmp slt i32 %x, 0
  %n = sub i32 0, %x
  %r = select i1 %c, i32 %n, i32 %x
  ret i32 %r
}

define i32 @sum_saturated(i32 noundef %x, i32 noundef %y) {
  %s = add i32 %x, %y
  %c = icmp ult i32 %s, %x
  %r = select i1 %c, i32 -1, i32 %s
  ret i32 %r
}

define i32 @rotated(i32 noundef %x) {
  %a = shl i32 %x, 7
  %b = lshr i32 %x, 25
  %r = or i32 %a, %b
  ret i32 %r
}

define i64 @round_up(i64 noundef %x) {
  %a = add i64 %x, 15
  %d = udiv i64 %a, 16
  %r = mul i64 %d, 16
  ret i64 %r
}

define i1 @is_aligned(i64 noundef %x) {
  %m = urem i64 %x, 4096
  %n = icmp eq i64 %m, 0
  %e = zext i1 %n to i32
  %r = icmp ne i32 %e, 0
  ret i1 %r
}

define i64 @page_of(i64 noundef %x) {
  %d = udiv i64 %x, 4096
  %m = mul i64 %d, 4096
  %s = sub i64 %x, %m
  %r = sub i64 %x, %s
  ret i64 %r
}

define i1 @bit_is_set(i64 noundef %x, i64 noundef %y) {
  %s = lshr i64 %x, %y
  %b = and i64 %s, 1
  %r = icmp ne i64 %b, 0
  ret i1 %r
}

define i32 @merged(i32 noundef %x, i32 noundef %y, i32 noundef %m) {
  %a = and i32 %x, %m
  %n = xor i32 %m, -1
  %b = and i32 %y, %n
  %r = or i32 %a, %b
  ret i32 %r
}

define i32 @de_morgan(i32 noundef %x, i32 noundef %y) {
  %a = xor i32 %x, -1
  %b = xor i32 %y, -1
  %c = and i32 %a, %b
  %r = xor i32 %c, -1
  ret i32 %r
}

define i32 @sum_of_parts(i32 noundef %x, i32 noundef %y) {
  %o = or i32 %x, %y
  %a = and i32 %x, %y
  %r = add i32 %o, %a
  ret i32 %r
}

define i32 @difference_of_parts(i32 noundef %x, i32 noundef %y) {
  %o = or i32 %x, %y
  %a = and i32 %x, %y
  %r = sub i32 %o, %a
  ret i32 %r
}

define i32 @not_equal(i32 noundef %x, i32 noundef %y) {
  %e = icmp eq i32 %x, %y
  %z = zext i1 %e to i32
  %r = xor i32 %z, 1
  ret i32 %r
}

define i1 @within(i32 noundef %x) {
  %a = icmp uge i32 %x, 16
  %b = icmp ult i32 %x, 48
  %r = and i1 %a, %b
  ret i1 %r
}

define i1 @is_power_of_two(i64 noundef %x) {
  %m = sub i64 %x, 1
  %a = and i64 %x, %m
  %z = icmp eq i64 %a, 0
  %n = icmp ne i64 %x, 0
  %r = and i1 %z, %n
  ret i1 %r
}

define i32 @times_nine_less_one(i32 noundef %x) {
  %a = mul i32 %x, 8
  %b = add i32 %a, %x
  %r = sub i32 %b, %x
  ret i32 %r
}

define i32 @folded_adds(i32 noundef %x) {
  %a = add i32 %x, 5
  %b = sub i32 %a, 3
  %c = xor i32 %b, -1
  %r = sub i32 0, %c
  ret i32 %r
}

define i64 @low_half(i64 noundef %x) {
  %a = shl i64 %x, 32
  %b = lshr i64 %a, 32
  %t = trunc i64 %b to i32
  %r = zext i32 %t to i64
  ret i64 %r
}

define i64 @slot_offset(i64 noundef %i) {
  %a = mul i64 %i, 48
  %b = mul i64 %i, 16
  %r = add i64 %a, %b
  ret i64 %r
}

define i32 @zero_if(i1 noundef %c, i32 noundef %x) {
  %n = xor i1 %c, true
  %r = select i1 %n, i32 %x, i32 0
  %s = or i32 %r, 0
  ret i32 %s
}

define i1 @sign_of_both(i32 noundef %x, i32 noundef %y) {
  %a = icmp slt i32 %x, 0
  %b = icmp slt i32 %y, 0
  %r = xor i1 %a, %b
  ret i1 %r
}

define i32 @clamped_count(i32 noundef %x) {
  %c = icmp ult i32 %x, 64
  %r = select i1 %c, i32 %x, i32 63
  %a = and i32 %r, 63
  ret i32 %a
}

define i32 @two_shifts(i32 noundef %x) {
  %a = lshr i32 %x, 3
  %b = lshr i32 %a, 2
  %r = and i32 %b, 134217727
  ret i32 %r
}

define i64 @class_of_units(i64 noundef %x) {
  %a = add i64 %x, 15
  %b = lshr i64 %a, 4
  %c = sub i64 %b, 1
  %d = add i64 %c, 1
  ret i64 %d
}

define i32 @shared_mask(i32 noundef %x, i32 noundef %y) {
  %a = and i32 %x, 255
  %b = and i32 %y, 255
  %r = xor i32 %a, %b
  ret i32 %r
}

define i32 @negated_difference(i32 noundef %x, i32 noundef %y) {
  %a = sub i32 %x, %y
  %r = sub i32 0, %a
  ret i32 %r
}
