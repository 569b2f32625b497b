/* SPDX-License-Identifier: Apache-2.0 */
#include "run.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "board.h"
#include "equilibrium.h"
#include "langevin.h"
#include "noise.h"
#include "scpi_errors.h"

#define MOST_STEPS 4294967294.0 /* steps are numbered with 32 bits in the counter of the noise */

struct run run;
struct given_states given_states;

static struct run planned; /* a run that may be refused yet, so that the one before stays as it is */
static const struct program *program;
static struct langevin computer;
static struct equilibrium density;
static float store[STORED_BYTES / 4];

/* Initial states of the chains from `done` on, drawn unit by unit so that each density is tabulated once. */
static float scratch[SCRATCH_FLOATS];
static uint32_t batch_first, batch_size, drawn;

void run_reset(void)
{
    memset(&run, 0, sizeof run);
    given_states.samples = 0;
    given_states.crc = 0;
}

void run_forget(const struct program *loaded)
{
    run.state = loaded->units ? RUN_READY : RUN_IDLE;
    run.done = 0;
}

/* Get how many steps a plan takes, and how long they are. */
static int plan_steps(const struct settings *settings, const struct program *loaded, const char **why)
{
    const double wanted = settings->dt > 0 ? settings->dt : langevin_own_step(loaded);
    double steps = settings->dt > 0 ? floor(settings->duration / wanted + 0.5) : ceil(settings->duration / wanted);

    if (steps < 1)
        steps = settings->dt > 0 ? 0 : 1;
    if (!(steps <= MOST_STEPS)) {
        *why = "the duration takes more than 4294967294 steps";
        return ERROR_RANGE;
    }
    if (settings->dt > 0 && !(fabs(steps * wanted - settings->duration) <= 1e-6 * settings->duration)) {
        *why = "RUN:DURation is not a whole number of steps RUN:DT";
        return ERROR_CONFLICT;
    }
    planned.steps = (uint32_t)steps;
    planned.dt = settings->duration / steps;
    return 0;
}

static int plan_storage(const struct settings *settings, const struct program *loaded, const char **why)
{
    const uint64_t recorded = settings->keep == KEEP_TRAJECTORY ? (uint64_t)planned.steps / settings->record + 1 : 0;
    const uint64_t states = recorded + (settings->keep != KEEP_NONE) + (settings->keep >= KEEP_BOTH);
    const uint64_t floats = states * loaded->units;

    if (floats > STORED_BYTES / 4 || settings->samples * (16 + 4 * floats) > STORED_BYTES) {
        *why = "the samples of this run are more than limits.stored_bytes";
        return ERROR_TOO_MUCH;
    }
    planned.recorded = (uint32_t)recorded;
    planned.floats = (uint32_t)floats;
    return 0;
}

static int check_plan(const struct settings *settings, const char **why)
{
    if (settings->samples > UINT32_MAX - settings->first) {
        *why = "RUN:FIRSt and RUN:SAMPles add up to more than 4294967295";
        return ERROR_CONFLICT;
    }
    if (settings->initial == INITIAL_STATES && given_states.samples != settings->samples) {
        *why = "RUN:STATes holds another number of states than RUN:SAMPles";
        return ERROR_CONFLICT;
    }
    return 0;
}

int run_start(const struct program *loaded, const struct settings *settings, uint32_t number, const char **why)
{
    int error = check_plan(settings, why);

    if (!error)
        error = plan_steps(settings, loaded, why);
    if (!error)
        error = plan_storage(settings, loaded, why);
    if (error)
        return error;
    program = loaded;
    planned.plan = *settings;
    planned.number = number;
    planned.units = loaded->units;
    planned.state = RUN_RUNNING;
    planned.reason = run.reason;
    planned.done = 0;
    run = planned;
    batch_first = batch_size = drawn = 0;
    density.tabulated = false;
    langevin_prepare(&computer, program, run.dt, 1.0, run.plan.seed);
    board_drive(program);
    return 0;
}

void run_abort(void)
{
    board_safe();
    if (run.state == RUN_RUNNING)
        run_forget(program);
}

/* Draw the initial states of one unit of all chains of a batch. */
static void draw_unit(void)
{
    const uint32_t units = program->units, unit = drawn;
    const float bias = run.plan.initial == INITIAL_UNBIASED ? 0.0F : program->biases[unit];
    struct noise_key key = {run.plan.seed, 0, 0, STREAM_INITIAL};
    uint32_t row;

    if (run.plan.initial != INITIAL_STATES)
        equilibrium_tabulate(&density, (double)program->J2[unit], (double)program->J4[unit], (double)bias);
    for (row = 0; row < batch_size; row++) {
        float *state = scratch + (size_t)row * units + unit;

        key.chain = run.plan.first + batch_first + row;
        if (run.plan.initial == INITIAL_STATES)
            *state = given_states.states[(size_t)(batch_first + row) * units + unit];
        else
            *state = (float)equilibrium_invert(&density, noise_uniform(&key, unit));
    }
    drawn++;
}

static float *record_of(uint32_t sample)
{
    return store + (size_t)sample * run.floats;
}

const float *run_record(uint32_t sample)
{
    return record_of(sample);
}

uint32_t run_parts(void)
{
    static const uint32_t parts[] = {0, 1, 3, 19};

    return parts[run.plan.keep];
}

static void keep_state(uint32_t place)
{
    memcpy(record_of(run.done) + (size_t)place * program->units, computer.x, program->units * sizeof(float));
}

static void begin_chain(void)
{
    memcpy(computer.x, scratch + (size_t)(run.done - batch_first) * program->units, program->units * sizeof(float));
    langevin_begin(&computer, run.plan.first + run.done);
    if (run.plan.keep >= KEEP_BOTH)
        keep_state(1);
    if (run.plan.keep == KEEP_TRAJECTORY)
        keep_state(2);
}

static void fail(const char *reason)
{
    board_safe();
    run.state = RUN_FAILED;
    run.reason = reason;
}

static void end_chain(void)
{
    if (run.plan.keep != KEEP_NONE)
        keep_state(0);
    if (++run.done == run.plan.samples)
        run.state = RUN_DONE;
}

/* Take steps of the chain `done`; returns what they cost. */
static uint32_t move(uint32_t budget)
{
    const uint32_t cost = langevin_cost(program);
    uint32_t spent = 0;

    do {
        langevin_step(&computer);
        spent += cost;
        if (run.plan.keep == KEEP_TRAJECTORY && computer.step % run.plan.record == 0)
            keep_state(2 + computer.step / run.plan.record);
    } while (computer.step < run.steps && spent < budget);
    if (!langevin_sound(&computer))
        fail("a trajectory diverged: couplings too large for the on-site energies, or RUN:DT too long");
    else if (computer.step == run.steps)
        end_chain();
    return spent;
}

void run_advance(void)
{
    uint32_t spent = 0;

    while (run.state == RUN_RUNNING && spent < SLICE) {
        if (run.done == batch_first + batch_size) {
            const uint32_t most = SCRATCH_FLOATS / program->units, left = run.plan.samples - run.done;

            batch_first = run.done;
            batch_size = left < most ? left : most;
            drawn = 0;
        }
        if (drawn < program->units) {
            draw_unit();
            spent += 8 * CELLS + 100 * batch_size;
            if (drawn == program->units)
                begin_chain();
        } else {
            spent += move(SLICE - spent);
            if (run.state == RUN_RUNNING && computer.step == run.steps && run.done < batch_first + batch_size)
                begin_chain();
        }
    }
}
