// Writes JPEG with libjpeg-turbo.
#include "image/jpeg.h"

#include <csetjmp>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
// jpeglib.h needs size_t and FILE before it.
#include <jpeglib.h>

#include "base/error.h"

namespace selfagent {
namespace {

/// libjpeg's error handler must not return: it jumps back to encode_into().
struct Failure {
  jpeg_error_mgr base;
  jmp_buf back;
  char message[JMSG_LENGTH_MAX];
};

void jump_back(j_common_ptr info) {
  auto* failure = reinterpret_cast<Failure*>(info->err);
  info->err->format_message(info, failure->message);
  longjmp(failure->back, 1);
}

/// No object with a destructor may live here: longjmp skips destructors.
bool encode_into(const Pixels& pixels, int quality, unsigned char** file, unsigned long* file_bytes,
                 Failure& failure) {
  jpeg_compress_struct info{};
  info.err = jpeg_std_error(&failure.base);
  failure.base.error_exit = jump_back;
  if (setjmp(failure.back) != 0) {
    jpeg_destroy_compress(&info);
    return false;
  }
  jpeg_create_compress(&info);
  jpeg_mem_dest(&info, file, file_bytes);
  info.image_width = static_cast<JDIMENSION>(pixels.width);
  info.image_height = static_cast<JDIMENSION>(pixels.height);
  info.input_components = 4;
  info.in_color_space = JCS_EXT_BGRX;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, quality, TRUE);
  if (quality >= 90) info.comp_info[0].h_samp_factor = info.comp_info[0].v_samp_factor = 1;
  jpeg_start_compress(&info, TRUE);
  while (info.next_scanline < info.image_height) {
    auto* row = const_cast<JSAMPROW>(pixels.row(static_cast<int>(info.next_scanline)));
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  return true;
}

}  // namespace

std::string encode_jpeg(const Pixels& pixels, int quality) {
  if (quality < 1 || quality > 100) {
    throw Error(ErrorCode::invalid_argument,
                "quality=" + std::to_string(quality) + " is outside 1 to 100");
  }
  unsigned char* file = nullptr;
  unsigned long file_bytes = 0;
  Failure failure{};
  const bool done = encode_into(pixels, quality, &file, &file_bytes, failure);
  const std::unique_ptr<unsigned char, decltype(&std::free)> owner(file, &std::free);
  if (!done) {
    throw Error(ErrorCode::invalid_argument,
                std::string("the picture cannot be a JPEG: ") + failure.message);
  }
  return std::string(reinterpret_cast<const char*>(file), file_bytes);
}

}  // namespace selfagent
