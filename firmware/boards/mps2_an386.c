/* SPDX-License-Identifier: Apache-2.0 */
/* Arm MPS2 with image AN386 (Cortex-M4F), which QEMU emulates: CMSDK UART 0, SysTick, interrupts on reception. */
#include "../board.h"

#define REGISTER(address) (*(volatile uint32_t *)(address))

#define UART_DATA REGISTER(0x40004000)
#define UART_STATE REGISTER(0x40004004) /* 1: transmitter full, 2: receiver full */
#define UART_CONTROL REGISTER(0x40004008)
#define UART_INTERRUPT REGISTER(0x4000400C)
#define UART_DIVIDER REGISTER(0x40004010)
#define SYSTICK_CONTROL REGISTER(0xE000E010)
#define SYSTICK_RELOAD REGISTER(0xE000E014)
#define SYSTICK_VALUE REGISTER(0xE000E018)
#define INTERRUPT_ENABLE REGISTER(0xE000E100)
#define COPROCESSORS REGISTER(0xE000ED88)

#define CLOCK 25000000U
#define BAUD 115200U
#define RECEIVE 8U /* interrupt enable of the receiver */
#define RING 4096U

const char board_name[] = "mps2_an386";

static volatile uint8_t ring[RING];
static volatile uint32_t written, taken; /* run on without bound; the ring is their difference */
static volatile uint32_t ticks;

/* Reception, interrupt 0. A full ring leaves the byte in the receiver until there is room. */
static void on_receive(void)
{
    UART_INTERRUPT = 2;
    while (UART_STATE & 2) {
        if (written - taken == RING) {
            UART_CONTROL &= ~RECEIVE;
            return;
        }
        ring[written % RING] = (uint8_t)UART_DATA;
        written++;
    }
}

static void on_tick(void)
{
    ticks++;
}

void board_start(void)
{
    UART_DIVIDER = CLOCK / BAUD;
    UART_CONTROL = 3 | RECEIVE;
    INTERRUPT_ENABLE = 1;
    SYSTICK_RELOAD = CLOCK / 1000 - 1;
    SYSTICK_VALUE = 0;
    SYSTICK_CONTROL = 7;
}

int board_read(void)
{
    uint8_t byte;

    if (taken == written) {
        if (!(UART_CONTROL & RECEIVE))
            UART_CONTROL |= RECEIVE;
        if (!(UART_STATE & 2))
            return -1;
        __asm volatile("cpsid i" ::: "memory"); /* a byte that came while the interrupt was off */
        on_receive();
        __asm volatile("cpsie i" ::: "memory");
        if (taken == written)
            return -1;
    }
    byte = ring[taken % RING];
    taken++;
    return byte;
}

void board_write(const uint8_t *bytes, size_t count)
{
    while (count--) {
        while (UART_STATE & 1) {
        }
        UART_DATA = *bytes++;
    }
}

uint32_t board_ticks(void)
{
    return ticks;
}

void board_idle(void)
{
    __asm volatile("wfi");
}

/* The computer is langevin.c; a board with analog units sets their couplings and biases here. */
void board_drive(const struct program *program)
{
    (void)program;
}

void board_safe(void)
{
}

/* Start: vectors, memory, floating point. */

extern uint32_t stack_top[], data_source[], data_start[], data_end[], bss_start[], bss_end[];

int main(void);
void Reset_Handler(void);

/* After a fault nothing is certain but that the outputs must be off. */
static void stop(void)
{
    board_safe();
    for (;;) {
    }
}

__attribute__((naked, noreturn)) void Reset_Handler(void)
{
    /* No C before floating point is on: the compiler may save its registers in any prologue. */
    __asm volatile("ldr r0, =0xE000ED88 \n"
                   "ldr r1, [r0]        \n"
                   "orr r1, #0xF00000   \n"
                   "str r1, [r0]        \n"
                   "dsb                 \n"
                   "isb                 \n"
                   "b start_c           \n");
}

__attribute__((used, noreturn)) static void start_c(void)
{
    const uint32_t *from = data_source;
    uint32_t *to;

    for (to = data_start; to < data_end;)
        *to++ = *from++;
    for (to = bss_start; to < bss_end;)
        *to++ = 0;
    main();
    for (;;) {
    }
}

typedef void (*handler)(void);

__attribute__((section(".vectors"), used)) static const struct {
    uint32_t *stack;
    handler system[15];
    handler interrupts[1];
} vectors = {
    stack_top,
    {Reset_Handler, stop, stop, stop, stop, stop, 0, 0, 0, 0, stop, stop, 0, stop, on_tick},
    {on_receive},
};
