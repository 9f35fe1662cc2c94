"""What a .rknn says of itself: causes with their bytes, answers, popular suspects, differences."""
