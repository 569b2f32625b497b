// SPDX-License-Identifier: Apache-2.0
// Yardstick: one Langevin chain stepped bond by bond in double precision, the way small research codes are written.
// Prints the time per chain and step in microseconds.
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

int main(int argc, char **argv) {
  const int visible = 784, hidden = 512, units = visible + hidden;
  const int steps = argc > 1 ? std::atoi(argv[1]) : 200;
  const double J2 = 10, J4 = 10, dt = 1e-3;
  std::mt19937_64 generator(1);
  std::normal_distribution<double> gauss(0, 1);
  std::vector<std::vector<int>> neighbours(units), bonds(units);
  std::vector<double> couplings;
  for (int i = visible; i < units; i++)
    for (int j = 0; j < i; j++) {
      neighbours[i].push_back(j);
      neighbours[j].push_back(i);
      bonds[i].push_back(static_cast<int>(couplings.size()));
      bonds[j].push_back(static_cast<int>(couplings.size()));
      couplings.push_back(0.1 * gauss(generator));
    }
  std::vector<double> x(units, 0.0), change(units);
  const auto start = std::chrono::steady_clock::now();
  for (int step = 0; step < steps; step++) {
    for (int i = 0; i < units; i++) {
      double force = -2 * J2 * x[i] - 4 * J4 * x[i] * x[i] * x[i];
      for (std::size_t k = 0; k < neighbours[i].size(); k++) force -= couplings[bonds[i][k]] * x[neighbours[i][k]];
      change[i] = dt * force + std::sqrt(2 * dt) * gauss(generator);
    }
    for (int i = 0; i < units; i++) x[i] += change[i];
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  double square = 0;
  for (double value : x) square += value * value;
  std::printf("%.4f %.4f\n", seconds / steps * 1e6, square / units);
}
