/* The first program of Linux for the system rows, freestanding: runs system calls, pipes, fork and exec, and page faults a
   fixed number of times each, says on the console when each is over, and reboots. A result that is not the expected one is
   said, and then nothing more happens. As `/init child` it is the program that fork and exec start. Numbers and structures:
   Linux's i386 system call interface. */
typedef unsigned int u32;

#ifndef PERCENT /* share of the usual work */
#define PERCENT 100
#endif
enum { CALLS = 10000 * PERCENT, ROUNDS = 200 * PERCENT, CHILDREN = 8 * PERCENT, FAULT_PAGES = 512 };
enum { FAULT_TURNS = (120 * PERCENT + 99) / 100 };
enum { EXIT = 1, FORK = 2, READ = 3, WRITE = 4, OPEN = 5, WAITPID = 7, EXECVE = 11, PIPE = 42, GETPPID = 64, REBOOT = 88 };
enum { OLD_MMAP = 90, MUNMAP = 91, PAUSE = 29 };

__asm__(".globl _start\n_start: mov %esp, %eax\n and $-16, %esp\n push %eax\n call begin\n");

static int call(int number, u32 a, u32 b, u32 c) {
  int result;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c) : "memory");
  return result;
}
static int reboot(void) {
  int result;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(REBOOT), "b"(0xfee1dead), "c"(672274793), "d"(0x1234567), "S"(0));
  return result;
}

static void say(const char *text) {
  u32 length = 0;
  while (text[length]) length++;
  call(WRITE, 1, (u32)text, length);
}
static void demand(int good, const char *what) {
  if (good) return;
  say("[wrong: ");
  say(what);
  say("]\n");
  for (;;) call(PAUSE, 0, 0, 0);
}

static void system_calls(void) {
  int parent = call(GETPPID, 0, 0, 0), wrong = 0;
  for (u32 i = 0; i < CALLS; i++) wrong += call(GETPPID, 0, 0, 0) != parent;
  demand(parent == 0 && wrong == 0, "system calls");
}

/* Two processes hand a word back and forth; the other one adds 1. */
static void pipes(void) {
  int there[2], back[2], status = -1;
  u32 word = 0, wrong = 0;
  demand(call(PIPE, (u32)there, 0, 0) == 0 && call(PIPE, (u32)back, 0, 0) == 0, "pipe");
  int child = call(FORK, 0, 0, 0);
  if (child == 0) {
    for (u32 i = 0; i < ROUNDS; i++) {
      wrong += call(READ, (u32)there[0], (u32)&word, 4) != 4;
      word++;
      wrong += call(WRITE, (u32)back[1], (u32)&word, 4) != 4;
    }
    call(EXIT, wrong != 0, 0, 0);
  }
  for (u32 i = 0; i < ROUNDS; i++) {
    wrong += call(WRITE, (u32)there[1], (u32)&word, 4) != 4;
    wrong += call(READ, (u32)back[0], (u32)&word, 4) != 4;
  }
  demand(call(WAITPID, (u32)child, (u32)&status, 0) == child && status == 0, "pipes, child");
  demand(word == ROUNDS && wrong == 0, "pipes");
}

static void fork_and_exec(void) {
  static const char *arguments[] = {"/init", "child", 0}, *nothing[] = {0};
  u32 wrong = 0;
  for (u32 i = 0; i < CHILDREN; i++) {
    int status = -1, child = call(FORK, 0, 0, 0);
    if (child == 0) {
      call(EXECVE, (u32)arguments[0], (u32)arguments, (u32)nothing);
      call(EXIT, 1, 0, 0);
    }
    wrong += child < 0 || call(WAITPID, (u32)child, (u32)&status, 0) != child || status != 42 << 8;
  }
  demand(wrong == 0, "fork and exec");
}

/* Touches fresh pages, which must be zero. */
static void page_faults(void) {
  u32 sum = 0, wrong = 0;
  for (u32 turn = 0; turn < FAULT_TURNS; turn++) {
    u32 map[6] = {0, FAULT_PAGES << 12, 3, 0x22, -1u, 0}; /* read and write; private, anonymous */
    u32 at = (u32)call(OLD_MMAP, (u32)map, 0, 0);
    demand(at < -4096u, "mmap");
    for (u32 i = 0; i < FAULT_PAGES; i++) {
      volatile u32 *word = (u32 *)(at + (i << 12));
      wrong += *word != 0; /* the page of zeros, then one of its own */
      *word = i;
      sum += *word;
    }
    wrong += call(MUNMAP, at, FAULT_PAGES << 12, 0) != 0;
  }
  demand(wrong == 0 && sum == FAULT_TURNS * (FAULT_PAGES * (FAULT_PAGES - 1) / 2), "page faults");
}

__attribute__((used)) void begin(const u32 *stack) {
  if (stack[0] == 2 && ((const char *)stack[2])[1] == 'h') /* child */ call(EXIT, 42, 0, 0);
  say("[begin]\n");
  system_calls();
  say("[system calls]\n");
  pipes();
  say("[pipes]\n");
  fork_and_exec();
  say("[fork+exec]\n");
  page_faults();
  say("[page faults]\n");
  reboot();
  demand(0, "reboot");
}
