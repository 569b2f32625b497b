/* SPDX-License-Identifier: Apache-2.0 */
/* Noise, equilibrium and dynamics. Random quantities are judged in standard errors, with fixed seeds. */
#include <math.h>

#include "check.h"
#include "equilibrium.h"
#include "langevin.h"
#include "no_board.h"
#include "noise.h"

#define SIGMAS 5.0
#define CHAINS 4000

static struct program program;
static struct langevin computer;
static struct equilibrium density;

/* A program given by arrays: every unit J2, J4 and bias; pairs (0, 1), (2, 3), ... with the coupling. */
struct simple {
    uint32_t units;
    double J2, J4, bias, coupling;
};

static double J2_of(const void *data, uint32_t unit)
{
    (void)unit;
    return ((const struct simple *)data)->J2;
}

static double J4_of(const void *data, uint32_t unit)
{
    (void)unit;
    return ((const struct simple *)data)->J4;
}

static double bias_of(const void *data, uint32_t unit)
{
    (void)unit;
    return ((const struct simple *)data)->bias;
}

static bool next_pair(const void *data, struct pair *pair)
{
    const struct simple *simple = data;

    pair->i = pair->begun ? pair->i + 2 : 0;
    pair->j = pair->i + 1;
    pair->begun = 1;
    pair->coupling = simple->coupling;
    return pair->j < simple->units;
}

static const char *build(const struct simple *simple)
{
    const struct program_source source = {simple, simple->units, J2_of, J4_of, bias_of, {0, 0, 0, 0, 0}, next_pair};
    const char *fault = program_fault(&source);

    if (!fault)
        program_build(&program, &source);
    return fault;
}

/* A mean of independent numbers. */
struct mean {
    double sum, squares;
    int count;
};

static void add(struct mean *mean, double value)
{
    mean->sum += value;
    mean->squares += value * value;
    mean->count++;
}

/* Get how many standard errors a mean lies away from the truth. */
static double off(const struct mean *mean, double truth)
{
    const double average = mean->sum / mean->count;
    const double variance = mean->squares / mean->count - average * average;

    return fabs(average - truth) / sqrt(variance / mean->count);
}

static void test_noise(void)
{
    /* thermohw.langevin.noise.words(0x0123456789ABCDEF, 7, 11, 3, 0), and normals of the same counters */
    static const uint32_t wanted[4] = {0xCA018290, 0x2645AECD, 0x3E1DD1B0, 0xDEEC6995};
    static const double normal[4] = {0.40631904, 0.55557706, 1.15817360, -1.22105122};
    const struct noise_key key = {UINT64_C(0x0123456789ABCDEF), 7, 11, STREAM_DYNAMICS};
    struct noise_key counter = {5, 0, 0, STREAM_DYNAMICS};
    struct mean powers[4] = {{0, 0, 0}}, product = {0, 0, 0};
    uint32_t words[4];
    float normals[4];
    int k, power;

    noise_words(&key, 3, words);
    noise_normals(&key, 3, normals);
    for (k = 0; k < 4; k++)
        CHECK(words[k] == wanted[k] && fabs((double)normals[k] - normal[k]) < 1e-6);
    for (counter.step = 0; counter.step < 50000; counter.step++) {
        noise_normals(&counter, 0, normals);
        for (k = 0; k < 4; k++)
            for (power = 0; power < 4; power++)
                add(&powers[power], pow((double)normals[k], power + 1));
        add(&product, (double)(normals[0] * normals[1]));
    }
    CHECK(off(&powers[0], 0) < SIGMAS && off(&powers[1], 1) < SIGMAS);
    CHECK(off(&powers[2], 0) < SIGMAS && off(&powers[3], 3) < SIGMAS);
    CHECK(off(&product, 0) < SIGMAS);
    CHECK(off(&powers[1], 1.03) > SIGMAS); /* it would be noticed */
}

static double energy(const struct simple *unit, double x)
{
    return ((unit->J4 * x * x + unit->J2) * x + unit->bias) * x;
}

/* The support must end where the energy is 40 k_B T above its minimum, wherever the wells are. */
static void test_support(void)
{
    static const struct simple units[] = {
        {1, 1, 0, 0, 0},     {1, 1, 1, 0, 0},       {1, 1, 1, -3, 0},    {1, -10, 1, 0, 0},    {1, -10, 1, 2, 0},
        {1, -20, 1, 30, 0},  {1, -20, 1, -30, 0},   {1, 1e-6, 0, 0, 0},  {1, 10, 10, 500, 0},  {1, -1e4, 1, 0.1, 0},
        {1, 0, 1, 0, 0},     {1, 0, 1e-6, 10, 0}, {1, -3, 0.01, 1, 0}, {1, 1e30, 0, 1e3, 0},
    };
    size_t k;
    int step;

    for (k = 0; k < sizeof units / sizeof units[0]; k++) {
        const struct simple *unit = &units[k];
        double low, high, lowest = HUGE_VAL, ends;

        equilibrium_support(unit->J2, unit->J4, unit->bias, 40, &low, &high);
        CHECK(low < high);
        for (step = 0; step <= 100000; step++)
            lowest = fmin(lowest, energy(unit, low + (high - low) * step / 100000));
        ends = 1e-3 * 40 + 1e-9 * fabs(lowest); /* the grid may miss the minimum by a little */
        CHECK(fabs(energy(unit, low) - lowest - 40) < ends && fabs(energy(unit, high) - lowest - 40) < ends);
        CHECK(energy(unit, low - 1e-3 * (high - low)) > lowest + 40);
        CHECK(energy(unit, high + 1e-3 * (high - low)) > lowest + 40);
    }
}

/* <x V'(x)> = 1 and, for a linear unit, the quantiles of the normal distribution. */
static void test_equilibrium(void)
{
    static const struct simple units[] = {{1, 1, 1, 0, 0}, {1, -4, 1, 0.5, 0}, {1, 2, 0.5, -3, 0}};
    struct noise_key key = {9, 0, 0, STREAM_INITIAL};
    size_t k;

    for (k = 0; k < sizeof units / sizeof units[0]; k++) {
        const struct simple *unit = &units[k];
        struct mean virial = {0, 0, 0};

        equilibrium_tabulate(&density, unit->J2, unit->J4, unit->bias);
        for (key.chain = 0; key.chain < 100000; key.chain++) {
            const double x = equilibrium_invert(&density, noise_uniform(&key, 2));

            add(&virial, x * (4 * unit->J4 * x * x * x + 2 * unit->J2 * x + unit->bias));
        }
        CHECK(off(&virial, 1) < SIGMAS);
        CHECK(off(&virial, 1.1) > SIGMAS);
    }
    equilibrium_tabulate(&density, 0.5, 0, 2); /* mean -2, variance 1 */
    CHECK(fabs(equilibrium_invert(&density, 0.5) + 2) < 1e-5);
    CHECK(fabs(equilibrium_invert(&density, 0.975) - (-2 + 1.9599640)) < 1e-4);
    CHECK(fabs(equilibrium_invert(&density, 1e-6) - (-2 - 4.7534243)) < 1e-4);
    CHECK(fabs(equilibrium_invert(&density, 1 - 1e-6) - (-2 + 4.7534243)) < 1e-4);
}

/* Without noise, two coupled linear units relax as x+ = x(0) (1 - (2 J2 + J) dt)^n, x- = x(0) (1 - (2 J2 - J) dt)^n. */
static void test_relaxation(void)
{
    const struct simple pair = {2, 1.5, 0, 0, 0.7};
    const double dt = 0.01;
    int k;

    CHECK(build(&pair) == NULL);
    langevin_prepare(&computer, &program, dt, 0.0, 1);
    computer.x[0] = 1.0F;
    computer.x[1] = 0.5F;
    langevin_begin(&computer, 0);
    for (k = 0; k < 100; k++)
        langevin_step(&computer);
    CHECK(fabs((double)(computer.x[0] + computer.x[1]) - 1.5 * pow(1 - 3.7 * dt, 100)) < 1e-6);
    CHECK(fabs((double)(computer.x[0] - computer.x[1]) - 0.5 * pow(1 - 2.3 * dt, 100)) < 1e-6);
}

/* Without noise, a biased quartic unit comes to rest where 4 J4 x^3 + 2 J2 x + b = 0. */
static void test_rest(void)
{
    const struct simple unit = {1, 1, 2, -3, 0};
    double x;
    int k;

    CHECK(build(&unit) == NULL);
    langevin_prepare(&computer, &program, 0.01, 0.0, 1);
    computer.x[0] = 0.0F;
    langevin_begin(&computer, 0);
    for (k = 0; k < 1000; k++)
        langevin_step(&computer);
    x = (double)computer.x[0];
    CHECK(x > 0 && fabs(8 * x * x * x + 2 * x - 3) < 1e-5);
}

/* <x_i dV/dx_i> = kT for coupled, biased, quartic units, and <x_i x_j> of linear ones. */
static void test_equipartition(void)
{
    const struct simple quartic = {8, 1, 1, 0.5, 0.8}, linear = {8, 1, 0, 0, 1};
    struct mean virial = {0, 0, 0}, product = {0, 0, 0};
    uint32_t chain;
    int k;

    CHECK(build(&quartic) == NULL);
    langevin_prepare(&computer, &program, 0.002, 1.0, 3);
    for (chain = 0; chain < CHAINS; chain++) {
        memset(computer.x, 0, sizeof computer.x);
        langevin_begin(&computer, chain);
        for (k = 0; k < 700; k++)
            langevin_step(&computer);
        for (k = 0; k < 8; k++) {
            const double x = (double)computer.x[k], other = (double)computer.x[k ^ 1];

            add(&virial, x * (4 * x * x * x + 2 * x + 0.5 + 0.8 * other));
        }
    }
    CHECK(off(&virial, 1) < SIGMAS);
    CHECK(off(&virial, 1.1) > SIGMAS);

    CHECK(build(&linear) == NULL); /* covariance = inverse of [[2, 1], [1, 2]] */
    langevin_prepare(&computer, &program, 0.01, 1.0, 4);
    for (chain = 0; chain < CHAINS; chain++) {
        memset(computer.x, 0, sizeof computer.x);
        langevin_begin(&computer, chain);
        for (k = 0; k < 500; k++)
            langevin_step(&computer);
        for (k = 0; k < 8; k += 2)
            add(&product, (double)(computer.x[k] * computer.x[k + 1]));
    }
    CHECK(off(&product, -1.0 / 3) < SIGMAS);
    CHECK(off(&product, -1.0 / 2) > SIGMAS);
}

static void test_limits(void)
{
    const struct simple unbounded = {1, -1, 0, 0, 0}, flat = {1, 0, 0, 0, 0}, down = {1, 1, -1, 0, 0};
    const struct simple infinite = {2, 1, 1, 0, HUGE_VAL}, weak = {2, 1, 0, 0, 5};
    int k;

    CHECK(build(&unbounded) && build(&flat) && build(&down) && build(&infinite));
    CHECK(build(&weak) == NULL); /* J = 5 > 2 J2: this one runs away */
    langevin_prepare(&computer, &program, 0.01, 1.0, 1);
    memset(computer.x, 0, sizeof computer.x);
    langevin_begin(&computer, 0);
    CHECK(langevin_sound(&computer));
    for (k = 0; k < 1000; k++)
        langevin_step(&computer);
    CHECK(!langevin_sound(&computer));
}

/* The board's own step: at most a twentieth of the stable one, 2 / (2 J2 + |J|) where units are linear. */
static void test_own_step(void)
{
    const struct simple linear = {2, 1, 0, 0, 1};

    CHECK(build(&linear) == NULL);
    CHECK(fabs(langevin_own_step(&program) - 0.05 * 2 / 3) < 1e-6);
}

int main(void)
{
    test_noise();
    test_support();
    test_equilibrium();
    test_relaxation();
    test_rest();
    test_equipartition();
    test_limits();
    test_own_step();
    return REPORT();
}
