"""The first frames of a video: cut.py FROM TO FRAMES."""

import sys

import cv2

video = cv2.VideoCapture(sys.argv[1])
size = int(video.get(cv2.CAP_PROP_FRAME_WIDTH)), int(video.get(cv2.CAP_PROP_FRAME_HEIGHT))
writer = cv2.VideoWriter(
    sys.argv[2], cv2.VideoWriter.fourcc(*"XVID"), video.get(cv2.CAP_PROP_FPS), size
)
for _ in range(int(sys.argv[3])):
    writer.write(video.read()[1])
writer.release()
