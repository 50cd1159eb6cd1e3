/* Bug: slabs of the size class 112 begin 8 bytes late, behind a header, so that their blocks are aligned to 8 only. */
#ifndef FIXED
#define SLOTS(slot) ((slot) == 112 ? (UNIT - 8) / 112 : UNIT / (slot))
#define SLOT_AT(span, index) ((span)->start + ((span)->slot == 112 ? 8 : 0) + (span)->slot * (index))
#endif
#include "base.h"
#include "family.h"
