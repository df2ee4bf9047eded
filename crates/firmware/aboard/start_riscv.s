# Start-up of a RISC-V core: stack, memory, then `main`.
.section .vectors, "ax"
.global reset
reset:
.option push
.option norelax
    la gp, __global_pointer$
.option pop
    la sp, __stack_top
    la t0, fault
    csrw mtvec, t0
    la t0, __bss_start
    la t1, __bss_end
1:  bgeu t0, t1, 2f
    sw zero, 0(t0)
    addi t0, t0, 4
    j 1b
2:  la t0, __data_start
    la t1, __data_end
    la t2, __data_load
3:  bgeu t0, t1, 4f
    lw t3, 0(t2)
    sw t3, 0(t0)
    addi t0, t0, 4
    addi t2, t2, 4
    j 3b
4:  call main
    j .

.section .shell.fault, "ax"
.balign 4
.global fault
fault:
    li a0, 0x18
    li a1, 0x20023
.balign 16
.option push
.option norvc
    slli x0, x0, 0x1f
    ebreak
    srai x0, x0, 7
.option pop
    j .
