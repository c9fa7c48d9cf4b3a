/*
 * Runs 32-bit instruction snippets on the host CPU: reads cases from standard input, writes results to standard output.
 *
 * A case is 1152 bytes: 8 general registers (0), EFLAGS (32), length of the code (36), FXSAVE image (64), the memory
 * window (576, 512 bytes), code (1088, 64 bytes). A result is 1088 bytes: registers (0), EFLAGS (32), vector or -1
 * (36), error code (40), CR2 (44), EIP (48), hash of the page before the window (52), FXSAVE image (64), window (576).
 *
 * The window is the end of one mapped page: what comes after it faults, what comes before it is zero when a case
 * begins. The code lies at a fixed address and ends in a jump back. A fault is reported by the signal handler, which
 * then resumes behind the snippet. A snippet that does not come back within two ticks of a timer is reported as 255.
 *
 * No C library: this must build wherever the compiler can make 32-bit code. System calls: i386 table of the kernel.
 */
typedef unsigned int u32;
typedef unsigned char u8;

#define PAGE 0x10000000u
#define WINDOW 0x10000e00u
#define WINDOW_BYTES 512
#define CODE 0x20000000u
#define CASE_BYTES 1152
#define RESULT_BYTES 1088

struct Case {
  u32 regs[8], eflags, length, spare[6];
  u8 fx[512], window[WINDOW_BYTES], code[64];
} __attribute__((aligned(64)));

struct Result {
  u32 regs[8], eflags, vector, error, cr2, eip, hash, spare[2];
  u8 fx[512], window[WINDOW_BYTES];
} __attribute__((aligned(64)));

struct Case in;
struct Result out;
u32 saved_esp;
static volatile u32 running, number, seen;
/* The kernel's stack and vDSO go away, so that wild addresses of cases hit nothing. */
u8 stack_begin[1 << 14] __attribute__((aligned(64)));
__asm__(".globl stack_end\n.set stack_end, stack_begin + 16384\n");
static u8 input[1 << 16], output[1 << 16], alternate[1 << 16];
static u32 input_at, input_end, output_end;

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

void enter(void);
void leave_fault(void);
void leave_well(void);
void restorer(void);

__asm__(
    ".text\n"
    "enter:\n pusha\n mov %esp, saved_esp\n fxrstor in+64\n push in+32\n popf\n"
    " mov in, %eax\n mov in+4, %ecx\n mov in+8, %edx\n mov in+12, %ebx\n mov in+16, %esp\n mov in+20, %ebp\n"
    " mov in+24, %esi\n mov in+28, %edi\n jmp 0x20000000\n"
    "leave_well:\n mov %eax, out\n mov %ecx, out+4\n mov %edx, out+8\n mov %ebx, out+12\n mov %esp, out+16\n"
    " mov %ebp, out+20\n mov %esi, out+24\n mov %edi, out+28\n mov saved_esp, %esp\n pushf\n popl out+32\n"
    " pushl $2\n popf\n fxsave out+64\n"
    "leave_fault:\n mov saved_esp, %esp\n pushl $2\n popf\n popa\n ret\n"
    "restorer:\n mov $173, %eax\n int $0x80\n"
    ".globl _start\n_start:\n mov $stack_end, %esp\n call run\n hlt\n");

/* Index of EAX ECX EDX EBX ESP EBP ESI EDI in the saved context, in words from its start. */
static const u8 PLACE[8] = {16, 15, 14, 13, 12, 11, 10, 9};

static void on_signal(int signal, void *info, u32 *uc) {
  (void)info;
  if (signal == 14) {
    if (!running || seen != number) {
      seen = number;
      return;
    }
  } else if (!running) leave(3);
  for (int i = 0; i < 8; i++) out.regs[i] = uc[PLACE[i]];
  out.vector = signal == 14 ? 255 : uc[17];
  out.error = uc[18];
  out.eip = uc[19];
  out.eflags = uc[21];
  out.cr2 = uc[26];
  if (uc[24]) memcpy(out.fx, (u8 *)uc[24] + 112, 512);
  uc[19] = (u32)leave_fault;
  uc[21] = 2;
  running = 0;
}

static void handle(int signal) {
  /* handler, SA_SIGINFO | SA_ONSTACK | SA_RESTART | SA_NODEFER | SA_RESTORER, restorer, mask */
  u32 action[5] = {(u32)on_signal, 0x4 | 0x08000000 | 0x10000000 | 0x40000000 | 0x04000000, (u32)restorer, 0, 0};
  if (call4(174, signal, (u32)action, 0, 8) != 0) leave(4);
}

static void map(u32 at, u32 protection) {
  u32 args[6] = {at, 4096, protection, 0x32, -1, 0}; /* MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS */
  if ((u32)call3(90, (u32)args, 0, 0) != at) leave(5);
}

static void flush(void) {
  for (u32 at = 0; at < output_end;) {
    int n = call3(4, 1, (u32)output + at, output_end - at);
    if (n <= 0) leave(6);
    at += n;
  }
  output_end = 0;
}

/* Takes the next case; results are written out before a read that may wait. */
static int take(void) {
  u8 *to = (u8 *)&in;
  for (u32 need = CASE_BYTES; need != 0;) {
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

static void execute(void) {
  u8 *code = (u8 *)CODE;
  u32 length = in.length > 64 ? 64 : in.length;
  memcpy(code, in.code, length);
  code[length] = 0xe9;
  *(u32 *)(code + length + 1) = (u32)leave_well - (CODE + length + 5);
  memset((void *)PAGE, 0, WINDOW - PAGE);
  memcpy((void *)WINDOW, in.window, WINDOW_BYTES);
  out.vector = -1;
  out.error = out.cr2 = 0;
  out.eip = CODE + length;
  number++;
  running = 1;
  enter();
  running = 0;
  u32 hash = 0;
  for (u32 *p = (u32 *)PAGE; p < (u32 *)WINDOW; p++) hash = hash * 31 + *p;
  out.hash = hash;
  memcpy(out.window, (void *)WINDOW, WINDOW_BYTES);
}

void run(void) {
  u32 stack[3] = {(u32)alternate, 0, sizeof alternate};
  u32 timer[4] = {0, 50000, 0, 50000};
  call3(91, 0xe0000000, 0x1fffd000, 0); /* munmap */
  map(PAGE, 3);
  map(CODE, 7);
  if (call3(186, (u32)stack, 0, 0) != 0) leave(7);
  static const u8 signals[] = {4, 5, 7, 8, 11, 14};
  for (u32 i = 0; i < sizeof signals; i++) handle(signals[i]);
  call3(104, 0, (u32)timer, 0);
  while (take()) {
    execute();
    if (output_end + RESULT_BYTES > sizeof output) flush();
    memcpy(output + output_end, &out, RESULT_BYTES);
    output_end += RESULT_BYTES;
  }
  flush();
  leave(0);
}
