@ Start-up of a Cortex-M: vectors, memory, then `main`.
.syntax unified
.section .vectors, "a"
.word __stack_top
.word reset
.rept 14
.word fault
.endr

.section .text.reset, "ax"
.thumb
.type reset, %function
.thumb_func
.global reset
reset:
@FPU@
    ldr r0, =__bss_start
    ldr r1, =__bss_end
    movs r2, #0
1:  cmp r0, r1
    bhs 2f
    str r2, [r0]
    adds r0, #4
    b 1b
2:  ldr r0, =__data_start
    ldr r1, =__data_end
    ldr r2, =__data_load
3:  cmp r0, r1
    bhs 4f
    ldr r3, [r2]
    str r3, [r0]
    adds r0, #4
    adds r2, #4
    b 3b
4:  bl main
    b .
.pool

.section .shell.fault, "ax"
.type fault, %function
.thumb_func
.global fault
fault:
    ldr r1, =0x20023
    movs r0, #0x18
    bkpt 0xab
    b .
.pool
