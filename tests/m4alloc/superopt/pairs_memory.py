"""Pairs about memory: loads, stores, pointers with their provenance, attributes of pointers."""

REJECT = """
provenance: equal addresses do not mean equal rights to access
define ptr @f(ptr noundef %p, ptr noundef %q) {
%c = icmp eq ptr %p, %q
%r = select i1 %c, ptr %p, ptr %q
ret ptr %r
=>
ret ptr %q

provenance_of_load: the other pointer of the same address may not be accessed
define i8 @f(ptr noundef %p, ptr noundef %q) {
%c = icmp eq ptr %p, %q
br i1 %c, label %y, label %n
y:
%v = load i8, ptr %p
ret i8 %v
n:
ret i8 0
=>
%c = icmp eq ptr %p, %q
br i1 %c, label %y, label %n
y:
%v = load i8, ptr %q
ret i8 %v
n:
ret i8 0

noalias_mixed: the pointer that is stored through may be the other one
define i8 @f(i1 noundef %c, ptr noalias noundef %p, ptr noundef %q) {
%s = select i1 %c, ptr %p, ptr %q
store i8 1, ptr %s
%r = load i8, ptr %q
ret i8 %r
=>
%s = select i1 %c, ptr %p, ptr %q
%r = load i8, ptr %q
store i8 1, ptr %s
ret i8 %r

inbounds_added: the object may be small
define ptr @f(ptr noundef %p, i64 noundef %i) {
%r = getelementptr i8, ptr %p, i64 %i
ret ptr %r
=>
%r = getelementptr inbounds i8, ptr %p, i64 %i
ret ptr %r

gep_nuw_added: the offset may be negative
define ptr @f(ptr noundef %p, i64 noundef %i) {
%r = getelementptr i8, ptr %p, i64 %i
ret ptr %r
=>
%r = getelementptr nuw i8, ptr %p, i64 %i
ret ptr %r

store_speculated: the store was conditional
define void @f(i1 noundef %c, ptr noundef %p) {
br i1 %c, label %t, label %e
t:
store i32 1, ptr %p
br label %e
e:
ret void
=>
%o = load i32, ptr %p
%v = select i1 %c, i32 1, i32 %o
store i32 %v, ptr %p
ret void

store_invented: memory may be constant
define void @f(ptr noundef dereferenceable(4) align 4 %p) {
ret void
=>
%o = load i32, ptr %p
store i32 %o, ptr %p
ret void

load_speculated: the pointer may be wild
define i32 @f(i1 noundef %c, ptr noundef %p) {
br i1 %c, label %t, label %e
t:
%v = load i32, ptr %p
br label %e
e:
%r = phi i32 [ 0, %0 ], [ %v, %t ]
ret i32 %r
=>
%v = load i32, ptr %p
%r = select i1 %c, i32 %v, i32 0
ret i32 %r

widened_store: the next byte is lost
define void @f(ptr noundef %p, i8 noundef %x) {
store i8 %x, ptr %p
ret void
=>
%z = zext i8 %x to i16
store i16 %z, ptr %p, align 1
ret void

widened_load_in_block: the byte behind may not be there
define i8 @f(ptr noundef %p) {
%r = load i8, ptr %p
ret i8 %r
=>
%w = load i16, ptr %p, align 1
%r = trunc i16 %w to i8
ret i8 %r

align_raised: the pointer may be odd
define i32 @f(ptr noundef %p) {
%r = load i32, ptr %p, align 1
ret i32 %r
=>
%r = load i32, ptr %p, align 4
ret i32 %r

store_align_raised: the pointer may be odd
define void @f(ptr noundef %p) {
store i16 1, ptr %p, align 1
ret void
=>
store i16 1, ptr %p, align 2
ret void

wrong_offset: big-endian order
define i16 @f(ptr noundef %p) {
%a = load i8, ptr %p
%q = getelementptr i8, ptr %p, i64 1
%b = load i8, ptr %q
%x = zext i8 %a to i16
%y = zext i8 %b to i16
%s = shl i16 %x, 8
%r = or i16 %s, %y
ret i16 %r
=>
%r = load i16, ptr %p, align 1
ret i16 %r

nonnull_argument: the target promises more of its argument
define i1 @f(ptr noundef %p) {
%r = icmp eq ptr %p, null
ret i1 %r
=>
define i1 @f(ptr noundef nonnull %p) {
ret i1 false

noalias_argument: the target promises more of its argument
define i8 @f(ptr noundef %p, ptr noundef %q) {
store i8 1, ptr %p
store i8 2, ptr %q
%r = load i8, ptr %p
ret i8 %r
=>
define i8 @f(ptr noalias noundef %p, ptr noundef %q) {
store i8 1, ptr %p
store i8 2, ptr %q
%r = load i8, ptr %p
ret i8 %r

undef_bytes_used_twice: the byte may be undef, so that both loads differ
define i8 @f(ptr noundef %p) {
%a = load i8, ptr %p
%f = freeze i8 %a
%r = xor i8 %f, %f
ret i8 %r
=>
%a = load i8, ptr %p
%b = load i8, ptr %p
%r = xor i8 %a, %b
ret i8 %r

poison_byte_spreads: the other byte of the halfword may be poison
define i8 @f(ptr noundef align 2 dereferenceable(2) %p) {
%r = load i8, ptr %p
ret i8 %r
=>
%w = load i16, ptr %p, align 2
%r = trunc i16 %w to i8
ret i8 %r

load_noundef_added: uninitialised memory becomes undefined behaviour
define i8 @f(ptr noundef %p) {
%r = load i8, ptr %p
ret i8 %r
=>
%r = load i8, ptr %p, !noundef !{}
ret i8 %r

load_range_added: other values become poison
define i8 @f(ptr noundef %p) {
%r = load i8, ptr %p
ret i8 %r
=>
%r = load i8, ptr %p, !range !{i8 0, i8 2}
ret i8 %r

pointer_order: addresses are unsigned, blocks may be anywhere
define i1 @f(ptr noundef %p) {
%q = getelementptr i8, ptr %p, i64 1
%r = icmp ult ptr %p, %q
ret i1 %r
=>
ret i1 true

pointers_differ: two arguments may be one pointer
define i1 @f(ptr noundef %p, ptr noundef %q) {
%r = icmp eq ptr %p, %q
ret i1 %r
=>
ret i1 false

loaded_not_null: pointers in memory may be null
define i1 @f(ptr noundef %p) {
%q = load ptr, ptr %p
%r = icmp eq ptr %q, null
ret i1 %r
=>
%q = load ptr, ptr %p
ret i1 false

dropped_store: the caller sees it
define void @f(ptr noundef %p) {
store i8 1, ptr %p
ret void
=>
ret void

stores_exchanged: both pointers may be the same
define void @f(ptr noundef %p, ptr noundef %q) {
store i8 1, ptr %p
store i8 2, ptr %q
ret void
=>
store i8 2, ptr %q
store i8 1, ptr %p
ret void

overlapping_stores_exchanged: the second byte is written by both
define void @f(ptr noundef %p) {
%q = getelementptr i8, ptr %p, i64 1
store i16 0, ptr %p, align 1
store i16 -1, ptr %q, align 1
ret void
=>
%q = getelementptr i8, ptr %p, i64 1
store i16 -1, ptr %q, align 1
store i16 0, ptr %p, align 1
ret void

forwarded_past_store: the store between may be to the same byte
define i8 @f(ptr noundef %p, ptr noundef %q) {
%a = load i8, ptr %p
store i8 5, ptr %q
%b = load i8, ptr %p
ret i8 %b
=>
%a = load i8, ptr %p
store i8 5, ptr %q
ret i8 %a

pointer_copied_as_integer: the copy lost the right to access
define ptr @f(ptr noundef %p, ptr noundef %q) {
%v = load ptr, ptr %p
store ptr %v, ptr %q
%r = load ptr, ptr %q
ret ptr %r
=>
%v = load i64, ptr %p
store i64 %v, ptr %q
%r = load ptr, ptr %q
ret ptr %r

pointer_loaded_for_integer: the bytes may be those of an integer, which give no pointer
define i64 @f(ptr noundef %p) {
%r = load i64, ptr %p, align 8
ret i64 %r
=>
%v = load ptr, ptr %p, align 8
%r = ptrtoint ptr %v to i64
ret i64 %r

integer_loaded_for_pointer: the bytes may be those of a pointer, whose address is then not exposed
define i64 @f(ptr noundef %p) {
%v = load ptr, ptr %p, align 8
%r = ptrtoint ptr %v to i64
ret i64 %r
=>
%r = load i64, ptr %p, align 8
ret i64 %r

stored_pointer_loaded_as_integer: the bytes are those of a pointer
define i64 @f(ptr noundef %p, ptr noundef %q) {
store ptr %q, ptr %p, align 8
%r = ptrtoint ptr %q to i64
ret i64 %r
=>
store ptr %q, ptr %p, align 8
%r = load i64, ptr %p, align 8
ret i64 %r

undef_pointer_stored_as_integer: who loads a pointer there gets poison
define void @f(ptr noundef %p) {
store ptr undef, ptr %p, align 8
ret void
=>
store i64 5, ptr %p, align 8
ret void

wild_pointer_stored_as_integer: who loads a pointer there gets poison
define void @f(ptr noundef %p, i64 noundef %i) {
%q = getelementptr i8, ptr null, i64 %i
store ptr %q, ptr %p, align 8
ret void
=>
store i64 %i, ptr %p, align 8
ret void

inttoptr_roundtrip: what it may access is not known
define ptr @f(ptr noundef %p) {
ret ptr %p
=>
%i = ptrtoint ptr %p to i64
%r = inttoptr i64 %i to ptr
ret ptr %r
"""

ACCEPT = """
inbounds_dropped: fewer results are poison
define ptr @f(ptr %p, i64 %i) {
%r = getelementptr inbounds i32, ptr %p, i64 %i
ret ptr %r
=>
%r = getelementptr i32, ptr %p, i64 %i
ret ptr %r

gep_as_bytes: the same address
define ptr @f(ptr %p) {
%r = getelementptr inbounds i32, ptr %p, i64 3
ret ptr %r
=>
%r = getelementptr inbounds i8, ptr %p, i64 12
ret ptr %r

gep_merged: two steps become one
define ptr @f(ptr noundef %p, i64 noundef %i) {
%a = getelementptr i8, ptr %p, i64 %i
%r = getelementptr i8, ptr %a, i64 4
ret ptr %r
=>
%j = add i64 %i, 4
%r = getelementptr i8, ptr %p, i64 %j
ret ptr %r

store_forwarded: the load sees the store
define i32 @f(ptr noundef %p, i32 noundef %x) {
store i32 %x, ptr %p
%r = load i32, ptr %p
ret i32 %r
=>
store i32 %x, ptr %p
ret i32 %x

dead_store: overwritten before anyone looks
define void @f(ptr noundef %p) {
store i32 1, ptr %p
store i32 2, ptr %p
ret void
=>
store i32 2, ptr %p
ret void

loads_merged: one load for two
define i32 @f(ptr noundef %p) {
%a = load i32, ptr %p
%b = load i32, ptr %p
%r = add i32 %a, %b
ret i32 %r
=>
%a = load i32, ptr %p
%r = add i32 %a, %a
ret i32 %r

bytes_to_halfword: little-endian order
define i16 @f(ptr noundef %p) {
%a = load i8, ptr %p
%q = getelementptr i8, ptr %p, i64 1
%b = load i8, ptr %q
%x = zext i8 %a to i16
%y = zext i8 %b to i16
%s = shl i16 %y, 8
%r = or i16 %s, %x
ret i16 %r
=>
%r = load i16, ptr %p, align 1
ret i16 %r

narrow_load: fewer bytes are read
define i8 @f(ptr noundef %p) {
%w = load i16, ptr %p
%r = trunc i16 %w to i8
ret i8 %r
=>
%r = load i8, ptr %p
ret i8 %r

align_lowered: fewer loads are undefined
define i32 @f(ptr noundef %p) {
%r = load i32, ptr %p, align 4
ret i32 %r
=>
%r = load i32, ptr %p, align 1
ret i32 %r

disjoint_stores_exchanged: different bytes of one pointer
define void @f(ptr noundef %p) {
%q = getelementptr i8, ptr %p, i64 1
store i8 1, ptr %p
store i8 2, ptr %q
ret void
=>
%q = getelementptr i8, ptr %p, i64 1
store i8 2, ptr %q
store i8 1, ptr %p
ret void

load_hoisted_when_loaded_anyway: both arms load it
define i32 @f(i1 noundef %c, ptr noundef %p) {
br i1 %c, label %a, label %b
a:
%x = load i32, ptr %p
ret i32 %x
b:
%y = load i32, ptr %p
%z = add i32 %y, 1
ret i32 %z
=>
%x = load i32, ptr %p
%b = zext i1 %c to i32
%k = xor i32 %b, 1
%r = add i32 %x, %k
ret i32 %r

load_speculated_dereferenceable: the attribute allows it
define i32 @f(i1 noundef %c, ptr noundef align 4 dereferenceable(4) %p) {
br i1 %c, label %t, label %e
t:
%v = load i32, ptr %p
br label %e
e:
%r = phi i32 [ 0, %0 ], [ %v, %t ]
ret i32 %r
=>
%v = load i32, ptr %p
%r = select i1 %c, i32 %v, i32 0
ret i32 %r

alloca_removed: the local block is not seen
define i32 @f(i32 noundef %x) {
%a = alloca i32
store i32 %x, ptr %a
%r = load i32, ptr %a
ret i32 %r
=>
ret i32 %x

nonnull_used: the attribute says so
define i1 @f(ptr noundef nonnull %p) {
%r = icmp eq ptr %p, null
ret i1 %r
=>
ret i1 false

accessed_not_null: a load of it says so
define i1 @f(ptr noundef %p) {
%v = load i8, ptr %p
%r = icmp eq ptr %p, null
ret i1 %r
=>
ret i1 false

load_range_used: the metadata says so
define i8 @f(ptr noundef %p) {
%v = load i8, ptr %p, !range !{i8 0, i8 2}, !noundef !{}
%r = and i8 %v, 1
ret i8 %r
=>
%v = load i8, ptr %p
ret i8 %v

null_replaced: null may access nothing, so that a pointer of address 0 may do no less
define ptr @f(ptr noundef %p) {
%c = icmp eq ptr %p, null
%r = select i1 %c, ptr null, ptr %p
ret ptr %r
=>
ret ptr %p

same_pointer_select: one arm is the other
define ptr @f(i1 noundef %c, ptr noundef %p) {
%r = select i1 %c, ptr %p, ptr %p
ret ptr %r
=>
ret ptr %p

pointer_moved: provenance kept in memory
define ptr @f(ptr noundef %p, ptr noundef %v) {
store ptr %v, ptr %p
%r = load ptr, ptr %p
ret ptr %r
=>
store ptr %v, ptr %p
ret ptr %v

pointer_difference: the same addresses
define i64 @f(ptr noundef %p, i64 noundef %i) {
%q = getelementptr i8, ptr %p, i64 %i
%a = ptrtoint ptr %q to i64
%b = ptrtoint ptr %p to i64
%r = sub i64 %a, %b
ret i64 %r
=>
ret i64 %i

inbounds_order: an object does not wrap around
define i1 @f(ptr noundef %p) {
%q = getelementptr inbounds i8, ptr %p, i64 1
%r = icmp ult ptr %p, %q
ret i1 %r
=>
ret i1 true

noalias_used: the stores are to different bytes
define i8 @f(ptr noalias noundef %p, ptr noundef %q) {
store i8 1, ptr %p
store i8 2, ptr %q
%r = load i8, ptr %p
ret i8 %r
=>
define i8 @f(ptr noundef %p, ptr noundef %q) {
store i8 1, ptr %p
store i8 2, ptr %q
ret i8 1
"""
