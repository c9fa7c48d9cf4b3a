/*
 * Runs x87 instructions natively: reads cases from standard input, writes results to standard output.
 *
 * Case, 240 bytes: FSAVE image (108), length of code (1), code with its memory operand at [rsi] (15), EFLAGS (4),
 * memory (112). Result, 232 bytes: FSAVE image (108), EFLAGS (4), EAX (4), memory (112), signal (4, 0: none).
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

static sigjmp_buf back;

static void caught(int number) { siglongjmp(back, number); }

int main(void) {
  static uint8_t in[240], out[232];
  uint8_t *page = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return 1;
  int signals[] = {SIGILL, SIGFPE, SIGSEGV, SIGBUS};
  for (int n = 0; n < 4; n++) signal(signals[n], caught);
  while (fread(in, sizeof in, 1, stdin) == 1) {
    static uint64_t flags[2];
    uint8_t *p = page;
    memset(out, 0, sizeof out);
    memcpy(out + 116, in + 128, 112);
    flags[0] = *(uint32_t *)(in + 124) | 0x202;
    flags[1] = 0;
    static const uint8_t head[] = {0xdd, 0x27, 0xff, 0x32, 0x9d};                   /* frstor [rdi]; push [rdx]; popf */
    static const uint8_t tail[] = {0x9c, 0x8f, 0x02, 0x89, 0x42, 0x08, 0xdd, 0x31, 0xc3}; /* pushf; pop [rdx]; mov [rdx+8],eax; fnsave [rcx]; ret */
    memcpy(p, head, sizeof head), p += sizeof head;
    memcpy(p, in + 109, in[108]), p += in[108];
    memcpy(p, tail, sizeof tail);
    int number = sigsetjmp(back, 1);
    if (number == 0) {
      uint64_t a = 0;
      void *state = in, *memory = out + 116, *where = flags, *to = out, *code = page;
      __asm__ volatile("subq $128, %%rsp\n\tcall *%5\n\taddq $128, %%rsp"
                       : "+a"(a), "+D"(state), "+S"(memory), "+d"(where), "+c"(to), "+r"(code)
                       :
                       : "memory", "cc", "r8", "r9", "r10", "r11");
      memcpy(out + 108, flags, 4);
      memcpy(out + 112, flags + 1, 4);
    } else {
      __asm__ volatile("fninit");
      memcpy(out + 228, &number, 4);
    }
    fwrite(out, sizeof out, 1, stdout);
  }
  return 0;
}
