"""Says which benchmarks there are."""

from pathlib import Path

if __name__ == "__main__":
    named = [path.stem for path in Path(__file__).parent.glob("*.py") if "def main" in path.read_text()]
    print("python3 run.py benchmark NAME, where NAME is one of:", ", ".join(sorted({*named} - {"__main__", "writer"})))
