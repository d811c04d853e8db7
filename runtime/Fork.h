// What makes the runtime survive fork(): objects with a mutex register here, their mutexes are taken before a fork and
// given back after it, so that the child never finds one held by a thread that it does not have.
#pragma once

namespace sattn::rt {

/// Base of objects that own a mutex which other threads may hold at any time. Such mutexes are leaves: no other mutex
/// of the runtime is taken while one is held, so their order in a fork does not matter.
class ForkAware {
public:
  ForkAware(const ForkAware &) = delete;
  ForkAware &operator=(const ForkAware &) = delete;

protected:
  ForkAware() = default;
  ~ForkAware() = default;

  /// To be called as the last act of the constructor and the first of the destructor of the final class.
  void enroll();
  void withdraw();

private:
  friend struct ForkRegistry;
  virtual void beforeFork() = 0;      ///< take the mutex
  virtual void afterForkParent() = 0; ///< give it back
  virtual void afterForkChild() = 0;  ///< give it back, and forget what other threads were doing

  ForkAware *next = nullptr;
};

} // namespace sattn::rt
