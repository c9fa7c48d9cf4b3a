/*
 * Runs single instructions with segments of a local descriptor table on the host CPU: reads from standard input, writes
 * results to standard output.
 *
 * Input: a head of 64 page protections (a byte each, as mprotect has them) and 64 entries as modify_ldt takes them (16
 * bytes each), then cases. A case is 160 bytes: 8 general registers (0), EFLAGS (32), EIP (36), CS SS DS ES FS GS (40),
 * linear address of the code (64), the code (68, 16 bytes), 8 pairs of address and dword (84) that go to memory first.
 * A result is 416 bytes: registers (0), EFLAGS (32), EIP (36), selectors (40), vector (64), error code (68), CR2 (72),
 * number of dwords that changed (76), their hash (80), the first 40 as pairs of address and dword (88).
 *
 * Four windows of 64 KiB lie one after the other: code, data, extra, stack. A case is entered by the return from a
 * signal handler, with the trap flag set, and ends in the next signal: after one instruction, or at its fault.
 * No C library: this must build wherever the compiler can make 32-bit code. System calls: i386 table of the kernel.
 */
typedef unsigned int u32;
typedef unsigned char u8;

#define WINDOWS 0x10000000u
#define PAGES 64u
#define DWORDS (PAGES * 1024)
#define ENTRIES 64u
#define SHOWN 40u

struct Case {
  u32 regs[8], eflags, eip, segs[6], at;
  u8 code[16];
  u32 pokes[16], spare[3];
};

struct Result {
  u32 regs[8], eflags, eip, segs[6], vector, error, cr2, count, hash, spare, changes[2 * SHOWN], more[2];
};

static struct { u8 protection[PAGES]; u32 entries[ENTRIES][4]; } head;
static struct Case in;
static struct Result out;
static u32 fresh[DWORDS];
u8 stack_begin[1 << 14] __attribute__((aligned(64)));
__asm__(".globl stack_end\n.set stack_end, stack_begin + 16384\n");
static u8 input[1 << 16], output[1 << 16], alternate[1 << 16];
static u32 input_at, input_end, output_end;
static volatile u32 started, inside;

static int call3(int n, u32 a, u32 b, u32 c) {
  int r;
  __asm__ volatile("int $0x80" : "=a"(r) : "a"(n), "b"(a), "c"(b), "d"(c) : "memory");
  return r;
}

static int call4(int n, u32 a, u32 b, u32 c, u32 d) {
  int r;
  __asm__ volatile("int $0x80" : "=a"(r) : "a"(n), "b"(a), "c"(b), "d"(c), "S"(d) : "memory");
  return r;
}

static void leave(int code) {
  for (;;) call3(1, code, 0, 0);
}

void *memcpy(void *to, const void *from, u32 n) {
  void *d = to;
  __asm__ volatile("rep movsb" : "+D"(d), "+S"(from), "+c"(n) : : "memory");
  return to;
}

void *memset(void *to, int v, u32 n) {
  void *d = to;
  __asm__ volatile("rep stosb" : "+D"(d), "+c"(n) : "a"(v) : "memory");
  return to;
}

void restorer(void);
/* The handler proper starts with flags as a program has them: no nested task, no alignment checks. */
void entry(void);
__asm__(
    ".text\n"
    "entry:\n pushl $2\n popf\n jmp on_signal\n"
    "restorer:\n mov $173, %eax\n int $0x80\n"
    ".globl _start\n_start:\n mov $stack_end, %esp\n call run\n hlt\n");

static void flush(void) {
  for (u32 at = 0; at < output_end;) {
    int n = call3(4, 1, (u32)output + at, output_end - at);
    if (n <= 0) leave(6);
    at += n;
  }
  output_end = 0;
}

static int take(void *where, u32 need) {
  u8 *to = where;
  while (need != 0) {
    if (input_at == input_end) {
      flush();
      int n = call3(3, 0, (u32)input, sizeof input);
      if (n == -4) continue;
      if (n <= 0) return 0;
      input_at = 0;
      input_end = n;
    }
    u32 n = input_end - input_at < need ? input_end - input_at : need;
    memcpy(to, input + input_at, n);
    input_at += n;
    to += n;
    need -= n;
  }
  return 1;
}

static int readable(u32 page) { return head.protection[page] & 1; }
static int writable(u32 page) { return head.protection[page] & 2; }

/* Index of EAX ECX EDX EBX ESP EBP ESI EDI, and of CS SS DS ES FS GS, in the saved context, in words from its start. */
static const u8 REGS[8] = {16, 15, 14, 13, 12, 11, 10, 9};
static const u8 SEGS[6] = {20, 23, 8, 7, 6, 5};

static void record(const u32 *uc) {
  for (u32 i = 0; i < 8; i++) out.regs[i] = uc[REGS[i]];
  for (u32 i = 0; i < 6; i++) out.segs[i] = uc[SEGS[i]] & 0xffff;
  out.eflags = uc[21];
  out.eip = uc[19];
  out.vector = uc[17];
  out.error = uc[18];
  out.cr2 = uc[26];
  out.count = out.hash = 0;
  for (u32 page = 0; page < PAGES; page++) {
    if (!writable(page)) continue;
    u32 *now = (u32 *)(WINDOWS + 4096 * page), *then = fresh + 1024 * page;
    for (u32 i = 0; i < 1024; i++) {
      if (now[i] == then[i]) continue;
      if (out.count < SHOWN) {
        out.changes[2 * out.count] = (u32)(now + i);
        out.changes[2 * out.count + 1] = now[i];
      }
      out.count++;
      out.hash = (out.hash * 31 + (u32)(now + i)) * 31 + now[i];
      now[i] = then[i];
    }
  }
  if (output_end + sizeof out > sizeof output) flush();
  memcpy(output + output_end, &out, sizeof out);
  output_end += sizeof out;
  memset(&out, 0, sizeof out);
}

static void put(u32 at, const u8 *from, u32 size) {
  for (u32 i = 0; i < size; i++, at++) {
    u32 page = (at - WINDOWS) >> 12;
    if (page < PAGES && writable(page)) *(u8 *)at = from[i];
  }
}

/* Pokes are part of what a case starts with, but are undone with what it changes. */
static void begin(u32 *uc) {
  for (u32 i = 0; i < 16; i += 2) if (in.pokes[i] != 0) put(in.pokes[i], (u8 *)&in.pokes[i + 1], 4);
  put(in.at, in.code, sizeof in.code);
  for (u32 i = 0; i < 8; i++) uc[REGS[i]] = in.regs[i];
  for (u32 i = 0; i < 6; i++) uc[SEGS[i]] = in.segs[i];
  uc[24] = 0; /* no floating-point state: the kernel gives that of a new program */
  uc[21] = in.eflags;
  uc[19] = in.eip;
}

__attribute__((used)) void on_signal(int signal, void *info, u32 *uc) {
  (void)signal;
  (void)info;
  if (inside) leave(3);
  inside = 1;
  if (started) record(uc);
  started = 1;
  if (!take(&in, sizeof in)) {
    flush();
    leave(0);
  }
  begin(uc);
  inside = 0;
}

static void handle(int signal) {
  /* handler, SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESTORER, restorer, mask */
  u32 action[5] = {(u32)entry, 0x4 | 0x08000000 | 0x40000000 | 0x04000000, (u32)restorer, 0, 0};
  if (call4(174, signal, (u32)action, 0, 8) != 0) leave(4);
}

void run(void) {
  u32 stack[3] = {(u32)alternate, 0, sizeof alternate};
  u32 args[6] = {WINDOWS, 4 * DWORDS, 7, 0x32, -1, 0}; /* MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS */
  call3(91, 0xe0000000, 0x1fffd000, 0); /* munmap: the kernel's stack and vDSO go away, wild addresses hit nothing */
  if (!take(&head, sizeof head)) leave(8);
  if ((u32)call3(90, (u32)args, 0, 0) != WINDOWS) leave(5);
  u32 v = 1;
  for (u32 i = 0; i < DWORDS; i++) fresh[i] = v = v * 0x19660d + 0x3c6ef35f;
  memset(fresh, 0xcc, 0x10000);
  memcpy((void *)WINDOWS, fresh, 4 * DWORDS);
  for (u32 page = 0; page < PAGES; page++) {
    if (!readable(page) && head.protection[page] != 0) leave(9);
    if (call3(125, WINDOWS + 4096 * page, 4096, head.protection[page]) != 0) leave(10);
  }
  for (u32 i = 0; i < ENTRIES; i++) if (call3(123, 0x11, (u32)head.entries[i], 16) != 0) leave(11);
  if (call3(186, (u32)stack, 0, 0) != 0) leave(7);
  static const u8 signals[] = {4, 5, 7, 8, 11};
  for (u32 i = 0; i < sizeof signals; i++) handle(signals[i]);
  __asm__ volatile("int3");
  leave(12);
}
