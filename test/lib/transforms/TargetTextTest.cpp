// TargetInfo as text.
#include "lib/transforms/TargetText.h"
#include <doctest/doctest.h>

using namespace sattn;

TEST_CASE("a target is read back as it was written") {
  TargetInfo info, again;
  info.name = "some-target";
  info.keyLayout = {64, true, 4};
  info.valueLayout = {64, false, 8};
  info.foldScale = false;
  info.exp2PerCycle = 0.1;
  info.waveBytes = 12345;
  std::string error;
  REQUIRE(succeeded(parseTargetText(targetText(info), again, error)));
  CHECK(targetText(again) == targetText(info));
  CHECK(again.keyLayout.byRows);
  CHECK(again.valueLayout.width == 8);
  CHECK(again.exp2PerCycle == 0.1);
}

TEST_CASE("fields that do not exist or fit are named") {
  TargetInfo info;
  std::string error;
  CHECK(failed(parseTargetText("lanes=4", info, error)));
  CHECK(error == "[SA0202] target has no field 'lanes': remove it");
  CHECK(failed(parseTargetText("rowTile=-1", info, error)));
  CHECK(error == "[SA0202] target field 'rowTile' cannot be '-1': give a number above 0");
  CHECK(failed(parseTargetText("keyLayout=diagonal:4", info, error)));
  CHECK(error == "[SA0202] target field 'keyLayout' cannot be 'diagonal:4': give none, rows:N or cols:N");
}
