; The fast path of free: find the slab's header from the pointer's address with the arena's authority, and check that
; the pointer is valid and begins a slot.
define i64 @free_check(ptr addrspace(200) noundef %arena, ptr addrspace(200) noundef %pointer) {
entry:
  %address = call i64 @llvm.cheri.cap.address.get.i64(ptr addrspace(200) %pointer)
  %inside = call ptr addrspace(200) @llvm.cheri.cap.address.set.i64(ptr addrspace(200) %arena, i64 %address)
  %there = call i64 @llvm.cheri.cap.address.get.i64(ptr addrspace(200) %inside)
  %start = and i64 %there, -4096
  %header = call ptr addrspace(200) @llvm.cheri.cap.address.set.i64(ptr addrspace(200) %inside, i64 %start)
  %bounded = call ptr addrspace(200) @llvm.cheri.cap.bounds.set.i64(ptr addrspace(200) %header, i64 64)
  %class = load i64, ptr addrspace(200) %bounded, align 8
  ret i64 %class
}
