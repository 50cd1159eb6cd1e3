; A size class whose blocks are aligned so that their bounds are exact: the fallback for inexact ones can go.
define ptr addrspace(200) @aligned_class(ptr addrspace(200) noundef %slab, i64 noundef %offset) {
entry:
  %block = getelementptr i8, ptr addrspace(200) %slab, i64 %offset
  %length = call i64 @llvm.cheri.round.representable.length.i64(i64 24576)
  %exact = call ptr addrspace(200) @llvm.cheri.cap.bounds.set.exact.i64(ptr addrspace(200) %block, i64 %length)
  %valid = call i1 @llvm.cheri.cap.tag.get(ptr addrspace(200) %exact)
  %rounded = call ptr addrspace(200) @llvm.cheri.cap.bounds.set.i64(ptr addrspace(200) %block, i64 %length)
  %result = select i1 %valid, ptr addrspace(200) %exact, ptr addrspace(200) %rounded
  ret ptr addrspace(200) %result
}
