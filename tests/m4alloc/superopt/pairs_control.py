"""Pairs about control: branches, joins, switches, what cannot be reached, what is promised of a result."""

REJECT = """
select_to_branch: a branch on poison is undefined
define i32 @f(i1 %c, i32 noundef %x, i32 noundef %y) {
%r = select i1 %c, i32 %x, i32 %y
ret i32 %r
=>
br i1 %c, label %t, label %e
t:
br label %e
e:
%r = phi i32 [ %y, %0 ], [ %x, %t ]
ret i32 %r

division_speculated: the divisor is tested for a reason
define i32 @f(i32 noundef %x, i32 noundef %y) {
%c = icmp ne i32 %y, 0
br i1 %c, label %d, label %e
d:
%q = udiv i32 %x, %y
br label %e
e:
%r = phi i32 [ 0, %0 ], [ %q, %d ]
ret i32 %r
=>
%q = udiv i32 %x, %y
%c = icmp ne i32 %y, 0
%r = select i1 %c, i32 %q, i32 0
ret i32 %r

noundef_return: a poison result becomes undefined behaviour
define i32 @f(i32 noundef %x) {
%r = add nsw i32 %x, 1
ret i32 %r
=>
define noundef i32 @f(i32 noundef %x) {
%r = add nsw i32 %x, 1
ret i32 %r

range_return: values outside become poison
define i32 @f(i32 noundef %x) {
ret i32 %x
=>
define range(i32 0, 100) i32 @f(i32 noundef %x) {
ret i32 %x

phi_poison: poison comes from the edge that is taken
define i8 @f(i1 noundef %c, i8 noundef %x) {
br i1 %c, label %a, label %b
a:
br label %e
b:
br label %e
e:
%r = phi i8 [ %x, %a ], [ 0, %b ]
ret i8 %r
=>
br i1 %c, label %a, label %b
a:
%y = add nuw i8 %x, 0
%z = shl nsw i8 %x, 1
br label %e
b:
br label %e
e:
%p = phi i8 [ %z, %a ], [ 0, %b ]
%r = lshr i8 %p, 1
ret i8 %r

phi_exchanged: the values are on the wrong edges
define i32 @f(i1 noundef %c, i32 noundef %x, i32 noundef %y) {
br i1 %c, label %a, label %b
a:
br label %e
b:
br label %e
e:
%r = phi i32 [ %x, %a ], [ %y, %b ]
ret i32 %r
=>
%r = select i1 %c, i32 %y, i32 %x
ret i32 %r

switch_poison: a switch on poison is undefined
define i8 @f(i8 %x) {
%c = icmp eq i8 %x, 1
%r = select i1 %c, i8 7, i8 9
ret i8 %r
=>
switch i8 %x, label %d [ i8 1, label %a ]
a:
ret i8 7
d:
ret i8 9

switch_default: a case more
define i8 @f(i8 noundef %x) {
switch i8 %x, label %d [ i8 1, label %a
i8 2, label %a ]
a:
ret i8 7
d:
ret i8 9
=>
%c = icmp ule i8 %x, 2
%r = select i1 %c, i8 7, i8 9
ret i8 %r

assume_added: the target demands what the source does not
define i8 @f(i8 noundef %x) {
ret i8 %x
=>
%c = icmp ult i8 %x, 200
call void @llvm.assume(i1 %c)
ret i8 %x

unreachable_added: the target is undefined where the source returned
define i8 @f(i8 noundef %x) {
ret i8 %x
=>
%c = icmp eq i8 %x, 77
br i1 %c, label %u, label %r
u:
unreachable
r:
ret i8 %x
"""

ACCEPT = """
branch_to_select: both arms are values
define i32 @f(i1 noundef %c, i32 noundef %x, i32 noundef %y) {
br i1 %c, label %a, label %b
a:
br label %e
b:
br label %e
e:
%r = phi i32 [ %x, %a ], [ %y, %b ]
ret i32 %r
=>
%r = select i1 %c, i32 %x, i32 %y
ret i32 %r

branch_on_poison_to_select: the source is undefined there
define i32 @f(i1 %c, i32 %x, i32 %y) {
br i1 %c, label %a, label %b
a:
ret i32 %x
b:
ret i32 %y
=>
%r = select i1 %c, i32 %x, i32 %y
ret i32 %r

switch_to_select: two cases
define i8 @f(i8 %x) {
switch i8 %x, label %d [ i8 1, label %a
i8 2, label %a ]
a:
ret i8 7
d:
ret i8 9
=>
%y = add i8 %x, -1
%c = icmp ult i8 %y, 2
%r = select i1 %c, i8 7, i8 9
ret i8 %r

division_guarded: the branch implies the divisor
define i32 @f(i32 noundef %x, i32 noundef %y) {
%c = icmp eq i32 %y, 4
br i1 %c, label %d, label %e
d:
%q = udiv i32 %x, %y
ret i32 %q
e:
ret i32 0
=>
%c = icmp eq i32 %y, 4
%q = lshr i32 %x, 2
%r = select i1 %c, i32 %q, i32 0
ret i32 %r

unreachable_case: the source is undefined there
define i32 @f(i32 noundef %x) {
%c = icmp ult i32 %x, 8
br i1 %c, label %a, label %u
a:
%r = and i32 %x, 15
ret i32 %r
u:
unreachable
=>
ret i32 %x

assume_used: the source is undefined where it fails
define i32 @f(i32 noundef %x) {
%c = icmp ult i32 %x, 8
call void @llvm.assume(i1 %c)
%r = and i32 %x, 7
ret i32 %r
=>
ret i32 %x
"""
