/** ln Γ and its derivative ψ, for positive numbers, to float64's precision. */

/** Above this, Stirling's series with the terms below is exact to 1e-16. */
const LARGE = 12;

/**
 * `ln Γ(x)`: up to LARGE by `Γ(x) = Γ(x + 1) / x`, beyond by Stirling's series (Abramowitz and Stegun
 * 6.1.41).
 */
export function lnGamma(x: number): number {
  let product = 1;
  for (; x < LARGE; x++) product *= x;
  const i = 1 / x, i2 = i * i;
  const series = i *
    (1 / 12 -
      i2 * (1 / 360 - i2 * (1 / 1260 - i2 * (1 / 1680 - i2 * (1 / 1188 - i2 * 691 / 360360)))));
  return (x - 0.5) * Math.log(x) - x + 0.5 * Math.log(2 * Math.PI) + series - Math.log(product);
}

/** `ψ(x) = d/dx ln Γ(x)` (Abramowitz and Stegun 6.3.5 and 6.3.18). */
export function digamma(x: number): number {
  let sum = 0;
  for (; x < LARGE; x++) sum -= 1 / x;
  const i2 = 1 / (x * x);
  const series = i2 *
    (1 / 12 - i2 * (1 / 120 - i2 * (1 / 252 - i2 * (1 / 240 - i2 * (1 / 132 - i2 * 691 / 32760)))));
  return sum + Math.log(x) - 0.5 / x - series;
}
