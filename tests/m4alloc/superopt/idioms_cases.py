"""Loops and chains as people write them in C, with the IR that LLVM makes of them at -O2 without vectorisation."""

from __future__ import annotations

from m4alloc.superopt.ir import Function
from m4alloc.superopt.parse import parse_function

C = """
#include <stdint.h>
#include <stddef.h>
int count_shift(uint64_t x) { int n = 0; while (x) { n += x & 1; x >>= 1; } return n; }
int count_clear(uint16_t x) { int n = 0; while (x) { x &= x - 1; n++; } return n; }
int count_index(uint64_t x) { int n = 0; for (int i = 0; i < 64; i++) n += (x >> i) & 1; return n; }
int first_shift(uint64_t x) { int n = 0; while (!(x & 1)) { x >>= 1; n++; } return n; }
int first_index(uint64_t x) { for (int i = 0; i < 64; i++) if (x >> i & 1) return i; return 64; }
int of_sixteen(size_t n)
{
    if (n <= 16) return 0;
    if (n <= 32) return 1;
    if (n <= 48) return 2;
    if (n <= 64) return 3;
    return 4;
}
int of_doubles(size_t n)
{
    if (n <= 16) return 0;
    if (n <= 32) return 1;
    if (n <= 64) return 2;
    if (n <= 128) return 3;
    if (n <= 256) return 4;
    return 5;
}
int of_any(size_t n)
{
    if (n <= 16) return 0;
    if (n <= 32) return 1;
    if (n <= 48) return 2;
    if (n <= 80) return 3;
    if (n <= 128) return 4;
    return 5;
}
static const uint16_t sizes[8] = {16, 32, 48, 64, 80, 96, 112, 128};
int of_search(size_t n) { int i = 0; while (sizes[i] < n) i++; return i; }
unsigned slot(unsigned offset) { return offset / 48; }
void copied(char *p, const char *q) { for (int i = 0; i < 8; i++) p[i] = q[i]; }
"""

TABLE = (
    "@sizes = internal unnamed_addr constant [8 x i16] "
    "[i16 16, i16 32, i16 48, i16 64, i16 80, i16 96, i16 112, i16 128]"
)

IR = {
    "count_shift": """
define i32 @count_shift(i64 noundef %x) {
entry:
  %empty = icmp eq i64 %x, 0
  br i1 %empty, label %end, label %body
body:
  %n = phi i32 [ %n1, %body ], [ 0, %entry ]
  %s = phi i64 [ %s1, %body ], [ %x, %entry ]
  %t = trunc i64 %s to i32
  %b = and i32 %t, 1
  %n1 = add i32 %b, %n
  %s1 = lshr i64 %s, 1
  %done = icmp eq i64 %s1, 0
  br i1 %done, label %end, label %body
end:
  %r = phi i32 [ 0, %entry ], [ %n1, %body ]
  ret i32 %r
}""",
    "count_clear": """
define i32 @count_clear(i16 noundef %x) {
entry:
  %empty = icmp eq i16 %x, 0
  br i1 %empty, label %end, label %body
body:
  %n = phi i32 [ %n1, %body ], [ 0, %entry ]
  %s = phi i16 [ %s1, %body ], [ %x, %entry ]
  %less = add i16 %s, -1
  %s1 = and i16 %less, %s
  %n1 = add nuw nsw i32 %n, 1
  %done = icmp eq i16 %s1, 0
  br i1 %done, label %end, label %body
end:
  %r = phi i32 [ 0, %entry ], [ %n1, %body ]
  ret i32 %r
}""",
    "count_index": """
define i32 @count_index(i64 noundef %x) {
entry:
  br label %body
end:
  ret i32 %n1
body:
  %i = phi i64 [ 0, %entry ], [ %i1, %body ]
  %n = phi i32 [ 0, %entry ], [ %n1, %body ]
  %s = lshr i64 %x, %i
  %t = trunc i64 %s to i32
  %b = and i32 %t, 1
  %n1 = add i32 %b, %n
  %i1 = add nuw nsw i64 %i, 1
  %done = icmp eq i64 %i1, 64
  br i1 %done, label %end, label %body
}""",
    "first_shift": """
define i32 @first_shift(i64 noundef %x) {
entry:
  %low = and i64 %x, 1
  %clear = icmp eq i64 %low, 0
  br i1 %clear, label %body, label %end
body:
  %n = phi i32 [ %n1, %body ], [ 0, %entry ]
  %s = phi i64 [ %s1, %body ], [ %x, %entry ]
  %s1 = lshr exact i64 %s, 1
  %n1 = add nuw nsw i32 %n, 1
  %b = and i64 %s, 2
  %more = icmp eq i64 %b, 0
  br i1 %more, label %body, label %end
end:
  %r = phi i32 [ 0, %entry ], [ %n1, %body ]
  ret i32 %r
}""",
    "first_index": """
define i32 @first_index(i64 noundef %x) {
entry:
  br label %body
body:
  %i = phi i64 [ 0, %entry ], [ %i1, %next ]
  %mask = shl nuw i64 1, %i
  %bit = and i64 %mask, %x
  %clear = icmp eq i64 %bit, 0
  br i1 %clear, label %next, label %hit
next:
  %i1 = add nuw nsw i64 %i, 1
  %done = icmp eq i64 %i1, 64
  br i1 %done, label %end, label %body
hit:
  %t = trunc nuw nsw i64 %i to i32
  br label %end
end:
  %r = phi i32 [ %t, %hit ], [ 64, %next ]
  ret i32 %r
}""",
    "of_search": """
@sizes = external global i8
define i32 @of_search(i64 noundef %n) {
entry:
  br label %body
body:
  %i = phi i64 [ %i1, %body ], [ 0, %entry ]
  %p = getelementptr inbounds nuw i16, ptr @sizes, i64 %i
  %size = load i16, ptr %p, align 2
  %wide = zext i16 %size to i64
  %more = icmp ugt i64 %n, %wide
  %i1 = add nuw nsw i64 %i, 1
  br i1 %more, label %body, label %end
end:
  %r = trunc nuw nsw i64 %i to i32
  ret i32 %r
}""",
    "slot": """
define i32 @slot(i32 noundef %offset) {
  %q = udiv i32 %offset, 48
  ret i32 %q
}""",
    "copied": """
define void @copied(ptr noundef %p, ptr noundef %q) {
entry:
  br label %body
end:
  ret void
body:
  %i = phi i64 [ 0, %entry ], [ %i1, %body ]
  %from = getelementptr inbounds nuw i8, ptr %q, i64 %i
  %v = load i8, ptr %from, align 1
  %to = getelementptr inbounds nuw i8, ptr %p, i64 %i
  store i8 %v, ptr %to, align 1
  %i1 = add nuw nsw i64 %i, 1
  %done = icmp eq i64 %i1, 8
  br i1 %done, label %end, label %body
}""",
}


def function(name: str) -> Function:
    """The function of that name, from its IR."""
    if name.startswith("of_") and name not in IR:
        return parse_function(_chain(name, BORDERS[name]))
    return parse_function(IR[name], name)


BORDERS = {
    "of_sixteen": (16, 32, 48, 64),
    "of_doubles": (16, 32, 64, 128, 256),
    "of_any": (16, 32, 48, 80, 128),
}


def _chain(name: str, borders: tuple[int, ...]) -> str:
    """`if (n <= borders[0]) return 0; if (n <= borders[1]) return 1; ...`"""
    lines = [f"define i32 @{name}(i64 noundef %n) {{", "  br label %b0"]
    for k, border in enumerate(borders):
        lines += [f"b{k}:", f"  %c{k} = icmp ult i64 %n, {border + 1}"]
        lines.append(f"  br i1 %c{k}, label %end, label %b{k + 1}")
    values = "".join(f"[ {k}, %b{k} ], " for k in range(len(borders)))
    last = len(borders)
    lines += [
        f"b{last}:",
        "  br label %end",
        "end:",
        f"  %r = phi i32 {values}[ {last}, %b{last} ]",
        "  ret i32 %r",
        "}",
    ]
    return "\n".join(lines)
