// Carries the precompiled header (lib/support/Pch.h); holds no code of its own.
