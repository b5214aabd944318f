"""What shapes with vertices are made of: sets of simplices, rings, closed meshes."""
