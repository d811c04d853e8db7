// Scores bounded to (-cap, cap): a score function of the author's, for softcap.mlir.
float softcap(float x, float cap) {
  return cap * tanhf(x / cap);
}
