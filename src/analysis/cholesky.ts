/** Positive definite systems of equations, in place: the inner loop of every regression. */

/**
 * Solves `a x = b` for a symmetric positive definite `a_FF` (its lower triangle is read): the lower
 * triangle becomes Cholesky's factor, and each of the `rows` of `b_RF` its solution.
 *
 * @returns false where `a` is not positive definite to rounding; `b` is then untouched
 */
export function solvePositive(a_FF: Float64Array, b_RF: Float64Array, F: number): boolean {
  for (let i = 0; i < F; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = a_FF[i * F + j];
      for (let k = 0; k < j; k++) sum -= a_FF[i * F + k] * a_FF[j * F + k];
      if (i > j) a_FF[i * F + j] = sum / a_FF[j * F + j];
      else if (sum > 0) a_FF[i * F + i] = Math.sqrt(sum);
      else return false;
    }
  }
  for (let at = 0; at < b_RF.length; at += F) {
    for (let i = 0; i < F; i++) {
      let sum = b_RF[at + i];
      for (let k = 0; k < i; k++) sum -= a_FF[i * F + k] * b_RF[at + k];
      b_RF[at + i] = sum / a_FF[i * F + i];
    }
    for (let i = F - 1; i >= 0; i--) {
      let sum = b_RF[at + i];
      for (let k = i + 1; k < F; k++) sum -= a_FF[k * F + i] * b_RF[at + k];
      b_RF[at + i] = sum / a_FF[i * F + i];
    }
  }
  return true;
}
