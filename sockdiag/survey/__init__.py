"""The engine: samples a system once or more and has rules judge the samples. It knows nothing about command lines."""
