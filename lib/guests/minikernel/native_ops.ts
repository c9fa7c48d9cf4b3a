/**
 * Minikernel: the operations on bare hardware, behind the registers of the paravirtual calls. Cold data.
 */

/** Assembly source of this part. */
export const NATIVE_OPS: string = String.raw`
native_CPUID:
  cpuid
  ret
native_SetGDT:
  lgdt [eax]
  ret
native_SetIDT:
  lidt [eax]
  ret
native_SetLDT:
  lldt ax
  ret
native_SetTR:
  ltr ax
  ret
native_WriteGDTEntry:
native_WriteIDTEntry:
  mov [eax+edx*8], ecx
  mov ecx, [esp+4]
  mov [eax+edx*8+4], ecx
  ret
native_GetCR2:
  mov eax, cr2
  ret
native_GetCR3:
  mov eax, cr3
  ret
native_SetCR3:
  mov cr3, eax
  ret
native_EnableInterrupts:
  sti
  ret
native_DisableInterrupts:
  cli
  ret
native_GetInterruptMask:
  pushfd
  pop eax
  ret
native_SetInterruptMask:
  push eax
  popfd
  ret
native_IRET:
  iretd
native_SYSEXIT:
  sti
  sysexit
native_Halt:
  sti
  hlt
  ret
native_Reboot:
  mov al, 0xFE                      ; the keyboard controller pulses the reset line
  out 0x64, al
native_Shutdown:
  cli
native_stopped:
  hlt
  jmp native_stopped
native_SetPxE:
  mov [edx], eax
  ret
native_InvalPage:
  invlpg [eax]
  ret
native_FlushTLB:
  mov eax, cr3
  mov cr3, eax
  ret
native_IODelay:
  out 0x80, al
  ret
native_APICRead:                    ; EAX: offset of the register
  mov eax, [eax+APIC_LINEAR]
  ret
native_APICWrite:
  mov [eax+APIC_LINEAR], edx
  ret
native_UpdateKernelStack:           ; the caller has stored esp0 in the TSS
native_AllocatePage:
native_ReleasePage:
native_SetLinearMapping:
native_SetLazyMode:
native_SetAlarm:
  ret
native_GetCycleFrequency:           ; 0: there is no such clock
native_GetCycleCounter:
native_GetWallclockTime:
  xor eax, eax
  xor edx, edx
  ret
`;
