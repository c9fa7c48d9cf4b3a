/* The programs in C of the comparison; freestanding, no SSE. The number of the program is in EAX; it does its work once,
   from the same beginning every time, and returns in EAX how many of its results were wrong. The known values were
   computed on a host CPU; those of checksum and digest also by other implementations. With REPORT defined, a wrong value is
   the answer itself. */
#define PROGRAMS
#include "../kernels.c"
typedef unsigned short u16;
__asm__(".globl _start\n_start: jmp *programs(,%eax,4)\n");

#define KNOWN_CRC32 0x7a23bd80u
#define KNOWN_QUICKSORT 0x838e01c9u
#define KNOWN_LIST 0x07ff8000u
#define KNOWN_VM 0x872a9f86u
#define KNOWN_RECORDS 0x5199138bu
#define KNOWN_MIXTURE 0x7d00u
#define KNOWN_SHA256 0x5c1662c6u
#define KNOWN_BODIES 0x09c3034bu

static u32 expect(u32 got, u32 known) {
#ifdef REPORT
  return (void)known, got;
#else
  return got != known;
#endif
}

#include "records.c"
#include "mixture.c"
#include "sha256.c"
#include "bodies.c"

static u32 run_crc32(void) {
  for (u32 i = 0; i < sizeof flags; i++) flags[i] = (u8)(i ^ i >> 8);
  return expect(crc32(1), KNOWN_CRC32);
}
static u32 run_quicksort(void) {
  u32 wrong = 0;
  seed = 1;
  quicksort(1);
  for (u32 i = 1; i < 8192; i++) wrong += (int)words[i - 1] > (int)words[i];
  return wrong + expect(words[100], KNOWN_QUICKSORT);
}
static u32 run_list(void) { return expect(list(16), KNOWN_LIST); }
static u32 run_vm(void) {
  for (u32 i = 0; i < 256; i++) words[i] = 0;
  return expect(vm(1), KNOWN_VM);
}

u32 (*const programs[])(void) = {
  run_records, run_mixture, run_sha256, run_crc32, run_quicksort, run_list, run_vm, run_bodies,
};
