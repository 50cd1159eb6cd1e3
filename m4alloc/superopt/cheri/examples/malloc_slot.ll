; The fast path of a slab allocator: derive the slot from the arena's capability, bound it, take away what the caller
; must not have. A small-object layer has bounded it before the common exit does so again.
define ptr addrspace(200) @malloc_slot(ptr addrspace(200) noundef %arena, i64 noundef %offset) {
entry:
  %page = getelementptr i8, ptr addrspace(200) %arena, i64 4096
  %slots = getelementptr i8, ptr addrspace(200) %page, i64 64
  %slot = getelementptr i8, ptr addrspace(200) %slots, i64 %offset
  %object = call ptr addrspace(200) @llvm.cheri.cap.bounds.set.i64(ptr addrspace(200) %slot, i64 64)
  %data = call ptr addrspace(200) @llvm.cheri.cap.perms.and.i64(ptr addrspace(200) %object, i64 -65537)
  %again = call ptr addrspace(200) @llvm.cheri.cap.bounds.set.i64(ptr addrspace(200) %data, i64 64)
  %stripped = call ptr addrspace(200) @llvm.cheri.cap.perms.and.i64(ptr addrspace(200) %again, i64 -3073)
  ret ptr addrspace(200) %stripped
}
