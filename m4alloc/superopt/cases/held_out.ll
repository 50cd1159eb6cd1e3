; What the policy is judged on: idioms that none of training.ll's functions computes.

define i32 @isolate_lowest(i32 noundef %x) {
  %m = sub i32 %x, 1
  %a = and i32 %x, %m
  %r = xor i32 %x, %a
  ret i32 %r
}

define i32 @trailing_mask(i32 noundef %x) {
  %n = sub i32 0, %x
  %l = and i32 %x, %n
  %r = sub i32 %l, 1
  ret i32 %r
}

define i32 @smallest(i32 noundef %x, i32 noundef %y) {
  %c = icmp sgt i32 %x, %y
  %r = select i1 %c, i32 %y, i32 %x
  ret i32 %r
}

define i32 @distance(i32 noundef %x, i32 noundef %y) {
  %c = icmp ugt i32 %x, %y
  %a = sub i32 %x, %y
  %b = sub i32 %y, %x
  %r = select i1 %c, i32 %a, i32 %b
  ret i32 %r
}

define i32 @rest_saturated(i32 noundef %x, i32 noundef %y) {
  %c = icmp ugt i32 %x, %y
  %s = sub i32 %x, %y
  %r = select i1 %c, i32 %s, i32 0
  ret i32 %r
}

define i64 @rotated_right(i64 noundef %x) {
  %a = lshr i64 %x, 11
  %b = shl i64 %x, 53
  %r = or i64 %a, %b
  ret i64 %r
}

define i64 @round_down(i64 noundef %x) {
  %m = urem i64 %x, 64
  %r = sub i64 %x, %m
  ret i64 %r
}

define i1 @same_page(i64 noundef %x, i64 noundef %y) {
  %a = lshr i64 %x, 12
  %b = lshr i64 %y, 12
  %r = icmp eq i64 %a, %b
  ret i1 %r
}

define i64 @free_slots(i64 noundef %w, i64 noundef %m) {
  %n = xor i64 %w, -1
  %a = and i64 %n, %m
  %o = or i64 %a, %w
  %r = xor i64 %o, %w
  ret i64 %r
}

define i1 @bit_is_clear(i32 noundef %x, i32 noundef %y) {
  %one = shl i32 1, %y
  %b = and i32 %x, %one
  %z = icmp eq i32 %b, 0
  %e = zext i1 %z to i32
  %r = icmp eq i32 %e, 1
  ret i1 %r
}

define i64 @selected_bits(i64 noundef %x, i64 noundef %y, i64 noundef %m) {
  %a = xor i64 %x, %y
  %b = and i64 %a, %m
  %c = xor i64 %b, %y
  %d = or i64 %c, 0
  ret i64 %d
}

define i32 @nor_nand(i32 noundef %x, i32 noundef %y) {
  %a = or i32 %x, %y
  %b = xor i32 %a, -1
  %c = and i32 %x, %y
  %d = or i32 %b, %c
  %r = xor i32 %d, -1
  ret i32 %r
}

define i32 @sum_again(i32 noundef %x, i32 noundef %y) {
  %a = xor i32 %x, %y
  %b = and i32 %x, %y
  %c = shl i32 %b, 1
  %r = add i32 %a, %c
  ret i32 %r
}

define i32 @or_by_sum(i32 noundef %x, i32 noundef %y) {
  %a = add i32 %x, %y
  %b = and i32 %x, %y
  %r = sub i32 %a, %b
  ret i32 %r
}

define i32 @is_not_less(i32 noundef %x, i32 noundef %y) {
  %e = icmp ult i32 %x, %y
  %n = xor i1 %e, true
  %r = zext i1 %n to i32
  ret i32 %r
}

define i1 @outside(i32 noundef %x) {
  %a = icmp ult i32 %x, 8
  %b = icmp ugt i32 %x, 23
  %r = or i1 %a, %b
  ret i1 %r
}

define i1 @none_or_one_bit(i32 noundef %x) {
  %n = sub i32 0, %x
  %l = and i32 %x, %n
  %r = icmp eq i32 %l, %x
  ret i1 %r
}

define i32 @times_seven(i32 noundef %x) {
  %a = shl i32 %x, 3
  %b = sub i32 %a, %x
  %c = add i32 %b, %x
  %r = sub i32 %c, %x
  ret i32 %r
}

define i32 @complement_chain(i32 noundef %x) {
  %a = sub i32 0, %x
  %b = sub i32 %a, 1
  %c = add i32 %b, 4
  %r = sub i32 3, %c
  ret i32 %r
}

define i32 @low_byte(i32 noundef %x) {
  %a = shl i32 %x, 24
  %b = lshr i32 %a, 24
  %t = trunc i32 %b to i8
  %r = zext i8 %t to i32
  ret i32 %r
}

define i64 @slab_offset(i64 noundef %i) {
  %a = mul i64 %i, 96
  %b = mul i64 %i, 32
  %r = add i64 %a, %b
  %s = sub i64 %r, 0
  ret i64 %s
}

define i32 @either_by_mask(i1 noundef %c, i32 noundef %x) {
  %s = sext i1 %c to i32
  %n = xor i32 %s, -1
  %r = and i32 %n, %x
  ret i32 %r
}

define i1 @same_sign(i32 noundef %x, i32 noundef %y) {
  %a = lshr i32 %x, 31
  %b = lshr i32 %y, 31
  %r = icmp eq i32 %a, %b
  ret i1 %r
}

define i32 @bin_in_range(i32 noundef %x) {
  %c = icmp ugt i32 %x, 31
  %r = select i1 %c, i32 31, i32 %x
  %a = and i32 %r, 127
  ret i32 %a
}

define i32 @shift_there_and_back(i32 noundef %x) {
  %a = lshr i32 %x, 4
  %b = shl i32 %a, 4
  %c = and i32 %b, -8
  ret i32 %c
}

define i64 @pages_of_size(i64 noundef %x) {
  %a = add i64 %x, 4095
  %b = udiv i64 %a, 4096
  %c = mul i64 %b, 4096
  %d = udiv i64 %c, 4096
  ret i64 %d
}

define i64 @distributed_mask(i64 noundef %x, i64 noundef %y, i64 noundef %m) {
  %a = and i64 %x, %m
  %b = and i64 %y, %m
  %r = or i64 %a, %b
  ret i64 %r
}

define i64 @difference_negated(i64 noundef %x, i64 noundef %y) {
  %a = sub i64 0, %x
  %b = add i64 %a, %y
  %r = sub i64 0, %b
  ret i64 %r
}
